//! What the server is asked to do: each is one step for all other clients, and bears to be done twice.

use redis::{Cmd, cmd};

use crate::store::Key;

/// How the keys of a store begin, and those of one entry go on.
///
/// In a cluster the braces keep what belongs to one entry on one node.
#[derive(Clone)]
pub(super) struct Names {
    pub(super) prefix: String,
}

/// Takes the lease, if nobody has it. The answer is the fence, or 0.
///
/// A claim that was given up comes to nothing: it may have been under way longer than its caller cared to wait.
const ELECT: &str = "
if redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) or redis.call('GET', KEYS[1]) == ARGV[1] then
    return redis.call('INCR', KEYS[2])
end
return 0
";

/// Prolongs the lease. One that has ended is taken up again, if nobody has had it since.
const PROLONG: &str = "
local holder = redis.call('GET', KEYS[1])
local newest = tonumber(redis.call('GET', KEYS[2]) or '0')
if holder and holder ~= ARGV[1] or newest > tonumber(ARGV[3]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], ARGV[3])
return 1
";

/// Gives the lease back, or makes sure that the claim comes to nothing.
const GIVE_BACK: &str = "
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[3], '', 'PX', ARGV[2])
return 0
";

/// Writes the entry. A lease that has ended does no harm unless somebody was elected since: then theirs counts.
const SAVE: &str = "
local newest = tonumber(redis.call('GET', KEYS[3]) or '0')
if redis.call('GET', KEYS[2]) ~= ARGV[1] and newest > tonumber(ARGV[2]) then return 'lost' end
local stored = redis.call('HMGET', KEYS[1], 'generation', 'fence')
local again = stored[1] == ARGV[3] and stored[2] == ARGV[2]
if stored[1] and tonumber(stored[1]) >= tonumber(ARGV[3]) and not again then return 'old' end
redis.call('HSET', KEYS[1], 'generation', ARGV[3], 'fence', ARGV[2], 'entry', ARGV[4])
redis.call('PUBLISH', ARGV[5], ARGV[6])
return 'saved'
";

const CLEAR: &str = "
local stored = redis.call('HGET', KEYS[1], 'generation')
if not stored or tonumber(stored) > tonumber(ARGV[1]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1
";

impl Names {
    /// Where it is told that an entry has changed, by the id of its key.
    pub(super) fn channel(&self) -> String {
        format!("{}changes", self.prefix)
    }

    pub(super) fn load(&self, key: &Key) -> Cmd {
        let mut command = cmd("HMGET");
        command.arg(self.entry(key)).arg("generation").arg("entry");
        command
    }

    pub(super) fn save(&self, key: &Key, claim: &str, fence: u64, generation: u64, kept: &[u8]) -> Cmd {
        let mut command = eval(SAVE, &[self.entry(key), self.lease(key), self.fence(key)]);
        command.arg(claim).arg(fence).arg(generation).arg(kept).arg(self.channel()).arg(key.id());
        command
    }

    pub(super) fn clear(&self, key: &Key, generation: u64) -> Cmd {
        let mut command = eval(CLEAR, &[self.entry(key)]);
        command.arg(generation).arg(self.channel()).arg(key.id());
        command
    }

    pub(super) fn elect(&self, key: &Key, claim: &str, millis: u64) -> Cmd {
        let mut command = eval(ELECT, &[self.lease(key), self.fence(key), self.given_up(key, claim)]);
        command.arg(claim).arg(millis);
        command
    }

    pub(super) fn prolong(&self, key: &Key, claim: &str, millis: u64, fence: u64) -> Cmd {
        let mut command = eval(PROLONG, &[self.lease(key), self.fence(key)]);
        command.arg(claim).arg(millis).arg(fence);
        command
    }

    pub(super) fn give_back(&self, key: &Key, claim: &str, millis: u64) -> Cmd {
        let mut command = eval(GIVE_BACK, &[self.lease(key), self.fence(key), self.given_up(key, claim)]);
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

    fn given_up(&self, key: &Key, claim: &str) -> String {
        format!("{}:given-up:{claim}", self.entry(key))
    }
}

/// By its text: it is sent once per token, and the server keeps what it compiled.
fn eval(script: &str, keys: &[String]) -> Cmd {
    let mut command = cmd("EVAL");
    command.arg(script).arg(keys.len()).arg(keys);
    command
}
