//! `npm run sim -- --scenario NAME --n N --seeds S`

use std::process::ExitCode;

use clustershazbot::sim::cli::{Options, print_line, print_problem, usage};

fn main() -> ExitCode {
    if std::env::args().skip(1).any(|option| option == "--help" || option == "-h") {
        print_line(&usage());
        return ExitCode::SUCCESS;
    }
    match Options::parse(std::env::args().skip(1)) {
        Ok(options) if options.run() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(problem) => {
            print_problem(&format!("{problem}\nsee npm run sim -- --help"));
            ExitCode::from(2)
        }
    }
}
