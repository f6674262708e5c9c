//! `npm run sim -- --scenario NAME --n N --seeds S`

mod check;
mod cli;
mod cluster;
mod report;
mod scenario;
mod schedule;
mod trace;
mod world;

use std::process::ExitCode;

use crate::cli::{Options, print_line, print_problem, usage};

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
