//! The simulator: clusters of real cores in virtual time. `npm run sim -- --help` explains it.
//!
//! Imports go one way, downwards:
//!
//! | module | what it does |
//! |---|---|
//! | `cli` | reads the command line and starts one of the next six |
//! | `check` | compares measurements with the targets |
//! | `report` | sums up the measurements of many seeds, as text and JSON |
//! | `trace` | prints a hash of each run |
//! | `schedule` | random schedules of faults, under the invariants |
//! | `explore` | all runs of small clusters, under the invariants |
//! | `ownership` | how often the job of a key's owner is missed or run twice |
//! | `scenario` | one named event in a cluster, and what is measured |
//! | `cluster` | a cluster that has run for a while |
//! | `lie` | false statements of a peer that holds the secret |
//! | `world` | the servers, their network and time |
//! | `seeds`, `output` | runs on all processors; printing |

mod check;
mod cli;
mod cluster;
mod explore;
mod lie;
mod output;
mod ownership;
mod report;
mod scenario;
mod schedule;
mod seeds;
mod trace;
mod world;

use std::process::ExitCode;

use cli::{Options, usage};
use output::{print_line, print_problem};

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
