//! The program's own code in memory: who pays for what only the start needs?
//!
//! Reading options and configuration, opening the store and building the router touch most of the program once, and the
//! system maps sixteen pages for each that is touched. A server that idles then has four times the memory that it
//! uses. So once it has started the pages of code are given back; those that are needed come back with the
//! next instruction on them, from the page cache.
#![expect(
    unsafe_code,
    reason = "no safe interface gives mapped pages back; the one call is argued for below"
)]

use rustix::mm::{Advice, madvise};

/// A stretch of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    start: usize,
    bytes: usize,
}

/// Gives the pages of the program's code and constants back; returns how many bytes were asked for.
pub(super) fn give_back() -> usize {
    let Ok(program) = std::env::current_exe() else {
        return 0;
    };
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let stretches = maps.lines().filter_map(|line| {
        let path = program.to_str()?;
        of_program(line, path)
    });
    stretches
        .filter(|stretch| drop_pages(*stretch))
        .fold(0, |bytes, stretch| bytes + stretch.bytes)
}

/// The addresses of a line of `/proc/self/maps` if it is of `program`'s code, or of what precedes the code in the file:
/// constants without relocations. The system never lets these two be written to. What lies behind the code was
/// written to by the loader and must stay.
fn of_program(line: &str, program: &str) -> Option<Stretch> {
    let mut fields = line.split_ascii_whitespace();
    let (range, access, offset) = (fields.next()?, fields.next()?, fields.next()?);
    let (_device, _inode) = (fields.next()?, fields.next()?);
    let is_code = access == "r-xp";
    let is_head = access == "r--p" && offset.bytes().all(|digit| digit == b'0');
    let path = fields.next()?;
    // A path with spaces, or of a file that was replaced meanwhile, is none that is sure to be ours.
    if path != program || fields.next().is_some() || !(is_code || is_head) {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    let start = usize::from_str_radix(start, 16).ok()?;
    let end = usize::from_str_radix(end, 16).ok()?;
    let bytes = end.checked_sub(start)?;
    Some(Stretch { start, bytes })
}

fn drop_pages(stretch: Stretch) -> bool {
    let start = std::ptr::with_exposed_provenance_mut(stretch.start);
    // SAFETY: the stretch is one whole private mapping of the running program's file that nobody can write to, so
    // each of its pages has the file's bytes. A dropped page is read again from the file when it is touched, and
    // has the same bytes as before: nothing that points to it can tell.
    unsafe { madvise(start, stretch.bytes, Advice::LinuxDontNeed) }.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_given_back_and_goes_on_running() {
        let constant: &'static [u8] = include_bytes!("program_text.rs");
        let sum = || constant.iter().map(|byte| u64::from(*byte)).sum::<u64>();
        let before = sum();
        // A program whose path has a space keeps its pages.
        let bytes = give_back();
        assert!(bytes == 0 || bytes > 1 << 16, "{bytes}");
        assert_eq!(sum(), before);
    }

    #[test]
    fn only_what_is_never_written_is_given_back() {
        let line = |access: &str, offset: &str, path: &str| {
            format!("55d0c0000000-55d0c0002000 {access} {offset} fe:00 123 {path}")
        };
        let of = |line: String| of_program(&line, "/bin/watchfire").map(|stretch| stretch.bytes);
        assert_eq!(of(line("r-xp", "000d6000", "/bin/watchfire")), Some(0x2000));
        assert_eq!(of(line("r--p", "00000000", "/bin/watchfire")), Some(0x2000));
        for other in [
            line("r--p", "0151d000", "/bin/watchfire"),
            line("rw-p", "00000000", "/bin/watchfire"),
            line("rwxp", "000d6000", "/bin/watchfire"),
            line("r-xp", "000d6000", "/lib/libc.so.6"),
            line("r-xp", "000d6000", "/bin/watchfire (deleted)"),
            line("r-xp", "000d6000", ""),
            "nonsense".to_owned(),
        ] {
            assert_eq!(of(other.clone()), None, "{other}");
        }
    }
}
