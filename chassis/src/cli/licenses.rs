//! The subcommand `licenses`: prints the file that an image has beside its program. Within the program the texts
//! would make it 4 % larger, and each build of cargo would have to collect them.

use std::{env, fs, process::ExitCode};

use crate::config::{complain, print};

/// Print the licences of all that is linked into this program
#[derive(Clone, Debug, clap::Args)]
pub struct Licenses {}

impl Licenses {
    /// Prints them, and says on stderr why there are none.
    pub fn run(&self) -> ExitCode {
        let path = env::current_exe().map(|program| program.with_file_name("licenses.txt"));
        match path.and_then(fs::read) {
            Ok(text) => {
                print(&String::from_utf8_lossy(&text)); // some authors' names may be in no UTF-8
                ExitCode::SUCCESS
            }
            Err(error) => {
                complain(format_args!(
                    "There is no licenses.txt beside this program ({error}): images have it, which `make image` builds."
                ));
                ExitCode::FAILURE
            }
        }
    }
}
