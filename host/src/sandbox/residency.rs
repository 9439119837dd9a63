//! Keeps the pages an instance writes to in place between attempts, so that attempts do not fault them in again.
//!
//! When a slot is freed, wasmtime asks the kernel which of its pages were written, and resets those where they are. The
//! scan tells of at most 32 runs of neighbouring pages; what was written behind the 32nd is given back to the kernel, and
//! the next attempt in the slot faults it in again. A JavaScript step writes some 120 pages in 70 runs, so half of them
//! were faulted in for every step: 66 faults, 180 of its 420 us, each of them under a lock that all threads share.
//!
//! So the runs are joined. Once it is known which pages attempts of a component write, the few pages that lie between
//! near runs are made resident too, in every slot that holds the component: 68 pages for the example, after which there
//! are 28 runs and no faults (p10 418 -> 235 us). The kernel does it (`MADV_POPULATE_WRITE`) and no byte changes, which
//! is why this needs no lock, and does no harm to a slot that another component has taken over in the meantime.

use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Runs to join down to. The scan tells of 32; the rest is for pages that only some attempts write.
const RUNS: usize = 28;
/// Pages that may be added to join runs, 1 MiB. Resetting a page costs about a tenth of faulting it in.
const ADDED_PAGES: usize = 256;
/// Faults of an attempt that are worth a look.
const MANY_FAULTS: u64 = 8;
/// Pause after the first look; each further one doubles it, up to the last. A look reads the process's memory map, which
/// takes some 0.1 ms.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LAST_PAUSE: Duration = Duration::from_secs(30);

const PAGE: usize = 4096;

/// What is known of one component's pages.
pub(super) struct Residency {
    /// Name of the file its memory image is mapped from.
    image: String,
    state: Mutex<State>,
}

struct State {
    /// For each page of the image, whether an attempt has written it.
    written: Vec<bool>,
    next_look: Instant,
    pause: Duration,
}

/// A slot that holds the image: its first address, and its pages.
struct Slot {
    start: usize,
    pages: usize,
}

impl Residency {
    pub(super) fn new(image: String) -> Self {
        let state = State { written: Vec::new(), next_look: Instant::now(), pause: FIRST_PAUSE };
        Self { image, state: Mutex::new(state) }
    }

    /// To be called when an attempt has ended and its instance still lives, with the page faults it took. Looks at the
    /// slots now and then while attempts take many.
    pub(super) fn attempt_ended(&self, faults: u64) {
        if faults < MANY_FAULTS {
            return;
        }
        // Who finds it locked leaves the look to the other.
        let Ok(mut state) = self.state.try_lock() else { return };
        let now = Instant::now();
        if now < state.next_look {
            return;
        }
        state.next_look = now + state.pause;
        state.pause = (state.pause * 2).min(LAST_PAUSE);
        // Without /proc there is nothing to see, and attempts are as slow as they were.
        let _ = self.look(&mut state.written);
    }

    fn look(&self, written: &mut Vec<bool>) -> std::io::Result<()> {
        let slots = slots(&fs::read_to_string("/proc/self/maps")?, &self.image);
        let pagemap = File::open("/proc/self/pagemap")?;
        for slot in &slots {
            mark_written(&pagemap, slot, written)?;
        }
        let runs = joined(written);
        for slot in &slots {
            runs.iter().filter(|run| run.end <= slot.pages).for_each(|run| populate(slot, run));
        }
        Ok(())
    }
}

/// Page faults of this thread so far that needed no disk.
#[cfg(target_os = "linux")]
pub(super) fn thread_faults() -> u64 {
    use nix::sys::resource::{UsageWho, getrusage};
    getrusage(UsageWho::RUSAGE_THREAD).map_or(0, |usage| usage.minor_page_faults().unsigned_abs())
}

/// Only Linux can tell; elsewhere slots are reset another way.
#[cfg(not(target_os = "linux"))]
pub(super) fn thread_faults() -> u64 {
    0
}

/// The writable private mappings of `image` among the lines of a memory map.
fn slots(maps: &str, image: &str) -> Vec<Slot> {
    let slot = |line: &str| {
        let (addresses, rest) = line.split_once(' ')?;
        if !rest.starts_with("rw-p") || !rest.ends_with(image) {
            return None;
        }
        let (start, end) = addresses.split_once('-')?;
        let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
        Some(Slot { start, pages: end.checked_sub(start)? / PAGE })
    };
    maps.lines().filter_map(slot).collect()
}

/// Marks the pages of a slot that are no longer those of the file. The kernel's entry for a page is 64 bits: the highest
/// says that it is present, bit 61 that it belongs to a file.
fn mark_written(pagemap: &File, slot: &Slot, written: &mut Vec<bool>) -> std::io::Result<()> {
    let mut entries = vec![0; slot.pages * 8];
    pagemap.read_exact_at(&mut entries, (slot.start / PAGE * 8) as u64)?;
    if written.len() < slot.pages {
        written.resize(slot.pages, false);
    }
    for (entry, written) in entries.chunks_exact(8).zip(written) {
        // The flags are in the highest byte on the little-endian machines this runs on.
        *written |= entry[7] & 0b1010_0000 == 0b1000_0000;
    }
    Ok(())
}

/// The runs of written pages, the nearest joined until there are few enough; none if that would take too many pages.
fn joined(written: &[bool]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for page in (0..written.len()).filter(|page| written[*page]) {
        match runs.last_mut() {
            Some(run) if run.end == page => run.end += 1,
            _ => runs.push(page..page + 1),
        }
    }
    // The runs that are joined to the one before them: those with the fewest pages between.
    let gap = |run: usize| runs[run].start - runs[run - 1].end;
    let mut near: Vec<usize> = (1..runs.len()).collect();
    near.sort_by_key(|run| gap(*run));
    near.truncate(runs.len().saturating_sub(RUNS));
    if near.iter().map(|run| gap(*run)).sum::<usize>() > ADDED_PAGES {
        return Vec::new();
    }
    near.sort_unstable();
    let mut joined: Vec<Range<usize>> = Vec::new();
    for (index, run) in runs.into_iter().enumerate() {
        match joined.last_mut() {
            Some(last) if near.binary_search(&index).is_ok() => last.end = run.end,
            _ => joined.push(run),
        }
    }
    joined
}

#[cfg(target_os = "linux")]
fn populate(slot: &Slot, run: &Range<usize>) {
    use nix::sys::mman::{MmapAdvise, madvise};
    let Some(start) = std::ptr::NonNull::new((slot.start + run.start * PAGE) as *mut std::ffi::c_void) else { return };
    // SAFETY: this advice makes pages resident and changes the content of none, whatever is mapped there by now. Where
    // nothing is, and on kernels before 5.14, it fails, and the pages stay as they are.
    let _ = unsafe { madvise(start, run.len() * PAGE, MmapAdvise::MADV_POPULATE_WRITE) };
}

#[cfg(not(target_os = "linux"))]
fn populate(_: &Slot, _: &Range<usize>) {}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(runs: &[Range<usize>]) -> Vec<bool> {
        let mut written = vec![false; 4096];
        runs.iter().for_each(|run| written[run.clone()].fill(true));
        written
    }

    #[test]
    fn few_runs_stay_as_they_are() {
        let runs = [3..5, 9..10, 40..50];
        assert_eq!(joined(&pages(&runs)), runs);
        assert_eq!(joined(&[]), Vec::<Range<usize>>::new());
    }

    #[test]
    fn the_nearest_runs_are_joined_until_the_scan_can_tell_of_all() {
        let mut runs: Vec<_> = (0..RUNS).map(|n| n * 100..n * 100 + 10).collect();
        runs.extend([2712..2713, 2715..2716]);
        let joined = joined(&pages(&runs));
        assert_eq!(joined.len(), RUNS);
        assert_eq!(joined[RUNS - 1], 2700..2716);
        assert!(runs.iter().all(|run| joined.iter().any(|whole| whole.start <= run.start && run.end <= whole.end)));
    }

    #[test]
    fn runs_that_lie_too_far_apart_are_left_alone() {
        let runs: Vec<_> = (0..40).map(|n| n * 100..n * 100 + 1).collect();
        assert_eq!(joined(&pages(&runs)), Vec::<Range<usize>>::new());
    }

    #[test]
    fn slots_are_the_writable_mappings_of_the_image() {
        let maps = "7f0000000000-7f0000003000 rw-p 00000000 fe:00 77    /cache/abc-1.cwasm\n\
                    7f0000003000-7f0000004000 ---p 00000000 00:00 0 \n\
                    7f0000010000-7f0000011000 r-xp 00000000 fe:00 77    /cache/abc-1.cwasm\n\
                    7f0000020000-7f0000022000 rw-p 00000000 fe:00 78    /cache/def-1.cwasm\n";
        let found = slots(maps, "abc-1.cwasm");
        assert_eq!(found.iter().map(|slot| (slot.start, slot.pages)).collect::<Vec<_>>(), [(0x7f00_0000_0000, 3)]);
    }
}
