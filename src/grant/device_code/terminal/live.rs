//! Shows a countdown line for each active login.

use std::fmt::Write;
use std::sync::LazyLock;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::{messages, plain};
use crate::catch_panic::catch_panic;
use crate::grant::device_code::prompt::DevicePrompt;
use crate::sync::{Mutex, lock};

/// The screen of the process. All logins share it, because a terminal has one cursor.
static SCREEN: LazyLock<Screen> = LazyLock::new(|| Screen {
    lines: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
    active: Mutex::new(0),
});

/// Less than a second, so that the countdown skips none.
const TICK: Duration = Duration::from_millis(250);

struct Screen {
    lines: MultiProgress,
    /// The number of logins that have a line.
    active: Mutex<usize>,
}

/// Shows the prompt until the login ends. Returns `false` and shows nothing if standard error is not a terminal.
pub(super) fn show(prompt: &DevicePrompt) -> bool {
    if SCREEN.lines.is_hidden() {
        return false;
    }
    let line = {
        let mut active = lock(&SCREEN.active);
        SCREEN.write(*active, &messages::instructions(prompt));
        *active += 1;
        SCREEN.lines.add(ProgressBar::new_spinner().with_style(style(prompt)))
    };
    // Spawning the thread may fail. Then the line is not updated.
    let _ = catch_panic(|| line.enable_steady_tick(TICK));
    let user_code = prompt.user_code().to_owned();
    prompt.on_end(move |outcome| {
        let mut active = lock(&SCREEN.active);
        line.finish_and_clear();
        SCREEN.lines.remove(&line);
        *active -= 1;
        SCREEN.write(*active, &messages::ending(&user_code, outcome));
    });
    true
}

impl Screen {
    /// Writes permanent lines, above the countdown lines.
    fn write(&self, active: usize, lines: &str) {
        if active == 0 {
            plain::write(lines);
        } else {
            // A terminal that is gone does not fail the login.
            let _ = self.lines.println(lines);
        }
    }
}

fn style(prompt: &DevicePrompt) -> ProgressStyle {
    let shown = prompt.clone();
    // The template is valid, so this does not fail.
    let style = ProgressStyle::with_template("{spinner} Time left for {code}: {left}");
    style
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .with_key("left", move |_: &ProgressState, line: &mut dyn Write| {
            let _ = line.write_str(&messages::countdown(shown.time_left()));
        })
        .with_key("code", {
            let user_code = prompt.user_code().to_owned();
            move |_: &ProgressState, line: &mut dyn Write| {
                let _ = line.write_str(&user_code);
            }
        })
}
