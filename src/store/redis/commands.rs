//! Defines the commands of the store. Each is atomic for other clients, and idempotent.
//!
//! The scripts compare versions as text: numbers are doubles there, and two different versions could be the same double.

use std::time::Duration;

use redis::{Cmd, cmd};

use crate::clock::MAX_DURATION;
use crate::store::{Entry, Key};

/// Creates the commands for the keys of a store.
///
/// In a cluster, the braces keep all keys of one entry on one node.
#[derive(Clone)]
pub(super) struct Commands {
    pub(super) prefix: String,
    /// Zero means that keys do not expire.
    pub(super) time_to_live: Duration,
}

/// How much longer than the entry the fencing token is kept, so that a process that was stopped is still recognized as late.
const FENCE_RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// Acquires the lease if it is free. Returns the fencing token, or 0.
///
/// A claim that was abandoned is ignored: the command may arrive after its caller has stopped waiting.
const ACQUIRE: &str = "
if redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) or redis.call('GET', KEYS[1]) == ARGV[1] then
    local fence = redis.call('INCR', KEYS[2])
    if ARGV[3] ~= '0' then redis.call('PEXPIRE', KEYS[2], ARGV[3]) end
    return fence
end
return 0
";

/// Extends the lease. An expired lease is acquired again, if no other process has had it since then.
const EXTEND: &str = "
local holder = redis.call('GET', KEYS[1])
local newest = tonumber(redis.call('GET', KEYS[2]) or '0')
if holder and holder ~= ARGV[1] or newest > tonumber(ARGV[3]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], ARGV[3])
if ARGV[4] ~= '0' then redis.call('PEXPIRE', KEYS[2], ARGV[4]) end
return 1
";

/// Releases the lease, or marks the claim as abandoned.
const RELEASE: &str = "
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[3], '', 'PX', ARGV[2])
return 0
";

/// Compares two versions as text.
const IS_NEWER: &str = "
local function is_newer(one, other)
    return #one > #other or #one == #other and one > other
end
";

/// Saves the entry. An expired lease is accepted, unless another process has acquired the lease since then.
const SAVE: &str = "
local newest = tonumber(redis.call('GET', KEYS[3]) or '0')
if redis.call('GET', KEYS[2]) ~= ARGV[1] and newest > tonumber(ARGV[2]) then return 'lost' end
local stored = redis.call('HMGET', KEYS[1], 'generation', 'fence')
if not stored[1] then
    if ARGV[8] == '1' then return 'cleared' end
elseif not string.match(stored[1], '^%d+$') then
    return 'foreign'
elseif not is_newer(ARGV[3], stored[1]) and (stored[1] ~= ARGV[3] or stored[2] ~= ARGV[2]) then
    return 'old'
end
redis.call('HSET', KEYS[1], 'generation', ARGV[3], 'fence', ARGV[2], 'entry', ARGV[4])
if ARGV[7] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[7]) else redis.call('PERSIST', KEYS[1]) end
redis.call('DEL', KEYS[4])
redis.call('PUBLISH', ARGV[5], ARGV[6])
return 'saved'
";

/// Removes the entry and sets a marker that it was cleared. An entry that is missing without that marker was lost. The marker is set
/// as well if every version is cleared and the entry was lost before: no process may save the login again.
const CLEAR: &str = "
if ARGV[5] ~= '1' then
    local stored = redis.call('HGET', KEYS[1], 'generation')
    if not stored then return 'missing' end
    if not string.match(stored, '^%d+$') then return 'foreign' end
    if is_newer(stored, ARGV[1]) then return 'newer' end
end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[2], '')
if ARGV[4] ~= '0' then redis.call('PEXPIRE', KEYS[2], ARGV[4]) end
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 'cleared'
";

impl Commands {
    /// Returns the channel on which the key ids of changed entries are published.
    pub(super) fn channel(&self) -> String {
        format!("{}changes", self.prefix)
    }

    pub(super) fn load(&self, key: &Key) -> Cmd {
        let mut command = cmd("HMGET");
        command.arg(self.entry(key)).arg("generation").arg("entry");
        command
    }

    pub(super) fn save(&self, key: &Key, claim: &str, fence: u64, entry: &Entry, kept: &[u8]) -> Cmd {
        let commands = [self.entry(key), self.lease(key), self.fence(key), self.cleared(key)];
        let mut command = eval(&[IS_NEWER, SAVE].concat(), &commands);
        command.arg(claim).arg(fence).arg(entry.generation).arg(kept).arg(self.channel()).arg(key.id());
        command.arg(self.time_to_live_millis(Duration::ZERO)).arg(u8::from(entry.is_refresh()));
        command
    }

    pub(super) fn clear(&self, key: &Key, generation: u64) -> Cmd {
        let mut command = eval(&[IS_NEWER, CLEAR].concat(), &[self.entry(key), self.cleared(key)]);
        command.arg(generation).arg(self.channel()).arg(key.id());
        command.arg(self.time_to_live_millis(Duration::ZERO)).arg(u8::from(generation == u64::MAX));
        command
    }

    pub(super) fn was_cleared(&self, key: &Key) -> Cmd {
        let mut command = cmd("EXISTS");
        command.arg(self.cleared(key));
        command
    }

    pub(super) fn acquire(&self, key: &Key, claim: &str, millis: u64) -> Cmd {
        let mut command = eval(ACQUIRE, &[self.lease(key), self.fence(key), self.abandoned(key, claim)]);
        command.arg(claim).arg(millis).arg(self.time_to_live_millis(FENCE_RETENTION));
        command
    }

    pub(super) fn extend(&self, key: &Key, claim: &str, millis: u64, fence: u64) -> Cmd {
        let mut command = eval(EXTEND, &[self.lease(key), self.fence(key)]);
        command.arg(claim).arg(millis).arg(fence).arg(self.time_to_live_millis(FENCE_RETENTION));
        command
    }

    pub(super) fn release(&self, key: &Key, claim: &str, millis: u64) -> Cmd {
        let mut command = eval(RELEASE, &[self.lease(key), self.fence(key), self.abandoned(key, claim)]);
        command.arg(claim).arg(millis);
        command
    }

    fn entry(&self, key: &Key) -> String {
        format!("{}{{{}}}", self.prefix, key.id())
    }

    fn lease(&self, key: &Key) -> String {
        format!("{}:lease", self.entry(key))
    }

    fn fence(&self, key: &Key) -> String {
        format!("{}:fence", self.entry(key))
    }

    fn cleared(&self, key: &Key) -> String {
        format!("{}:cleared", self.entry(key))
    }

    /// Returns the time-to-live plus `longer` in milliseconds. Zero means that the key does not expire.
    fn time_to_live_millis(&self, longer: Duration) -> u64 {
        if self.time_to_live.is_zero() {
            return 0;
        }
        let time_to_live = self.time_to_live.saturating_add(longer).min(MAX_DURATION);
        time_to_live.as_millis().try_into().unwrap_or(u64::MAX).max(1)
    }

    fn abandoned(&self, key: &Key, claim: &str) -> String {
        format!("{}:given-up:{claim}", self.entry(key))
    }
}

/// Sends the text of the script. That happens once per token, and the server caches the compiled script.
fn eval(script: &str, keys: &[String]) -> Cmd {
    let mut command = cmd("EVAL");
    command.arg(script).arg(keys.len()).arg(keys);
    command
}
