//! Runs `.test` scripts: `cargo run --example promqltest -- [-v] FILE|FOLDER...`
//!
//! Prints `file: N passed, M failed` for each file and a total; `-v` shows the first difference of every
//! failed query.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "an example is a shell: it reads files and prints"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use watchfire::promql::script::{Runs, Script};

fn main() -> ExitCode {
    let mut verbose = false;
    let mut paths = Vec::new();
    for argument in std::env::args().skip(1) {
        if argument == "-v" {
            verbose = true;
        } else {
            paths.push(PathBuf::from(argument));
        }
    }
    let mut files = Vec::new();
    for path in paths {
        if let Err(error) = collect(&path, &mut files) {
            println!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    let (mut passed, mut failed) = (0, 0);
    for file in files {
        let (good, differences) = run(&file);
        println!(
            "{}: {good} passed, {} failed",
            file.display(),
            differences.len()
        );
        if verbose {
            for difference in &differences {
                println!("  {difference}");
            }
        }
        passed += good;
        failed += differences.len();
    }
    println!("total: {passed} passed, {failed} failed");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The file itself, or the scripts in a folder.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "test")
        {
            found.push(path);
        }
    }
    found.sort();
    files.extend(found);
    Ok(())
}

/// How many queries pass, and what differs.
fn run(file: &Path) -> (usize, Vec<String>) {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) => return (0, vec![error.to_string()]),
    };
    let script = match Script::parse(&String::from_utf8_lossy(&bytes)) {
        Ok(script) => script,
        Err(why) => return (0, vec![why]),
    };
    let mut passed = 0;
    let mut differences = Vec::new();
    let loaded = script.run(&Script::engine(), Runs::All, |report| match report.result {
        Ok(()) => passed += 1,
        Err(why) => differences.push(format!("line {}: {why}", report.line)),
    });
    if let Err(why) = loaded {
        differences.push(format!("load: {why}"));
    }
    (passed, differences)
}
