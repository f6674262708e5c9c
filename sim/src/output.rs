//! What the simulator prints.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::process;

/// Prints a line. The reader may close the pipe before the end, as `head` does.
pub fn print_line(line: &str) {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            print_problem(&format!("cannot write the output: {error}"));
            process::exit(1);
        }
        Ok(()) | Err(_) => {}
    }
}

/// Prints a line to stderr.
pub fn print_problem(problem: &str) {
    let _ = writeln!(io::stderr(), "{problem}");
}

/// Replaces the progress shown on a terminal.
pub fn show_progress(text: &str) {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr(), "\r\x1b[K{text}");
    }
}
