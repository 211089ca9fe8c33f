//! Which hashes an archive surely does not have: a split block Bloom filter, as that of Parquet.

/// Bits per hash: one of about a hundred hashes that are not there seems to be.
const HASH_BITS: u64 = 10;

/// Bits of a block.
const BLOCK_BITS: u64 = 256;

/// A filter takes up to 8 MiB; of more than some millions of hashes it says less.
const BLOCKS_MAX: u64 = 1 << 18;

/// Each spreads a hash over one word of its block. They are those of Parquet's specification.
const SALTS: [u32; 8] = [
    0x47b6_137b,
    0x4497_4d91,
    0x8824_ad5b,
    0xa2b7_289d,
    0x7054_95c7,
    0x2df1_424b,
    0x9efc_4947,
    0x5c6b_fb31,
];

/// A set of hashes that sometimes claims to have one that it does not have.
#[derive(Debug)]
pub(super) struct Filter {
    blocks: Vec<[u32; 8]>,
}

impl Filter {
    /// An empty set that has room for `count` hashes.
    pub(super) fn new(count: u64) -> Self {
        let blocks = count.saturating_mul(HASH_BITS).div_ceil(BLOCK_BITS);
        Self {
            blocks: vec![[0; 8]; blocks.clamp(1, BLOCKS_MAX) as usize],
        }
    }

    pub(super) fn insert(&mut self, hash: u64) {
        let at = self.place(hash);
        if let Some(block) = self.blocks.get_mut(at) {
            for (word, bit) in block.iter_mut().zip(bits(hash)) {
                *word |= bit;
            }
        }
    }

    /// False only when the hash was not inserted.
    pub(super) fn may_have(&self, hash: u64) -> bool {
        let block = self.blocks.get(self.place(hash));
        block.is_none_or(|block| {
            let mut words = block.iter().zip(bits(hash));
            words.all(|(word, bit)| word & bit != 0)
        })
    }

    /// The block of a hash.
    const fn place(&self, hash: u64) -> usize {
        (((hash >> 32) * self.blocks.len() as u64) >> 32) as usize
    }
}

/// The bit of a hash in each word of its block.
fn bits(hash: u64) -> impl Iterator<Item = u32> {
    let low = hash as u32;
    SALTS
        .into_iter()
        .map(move |salt| 1 << (low.wrapping_mul(salt) >> 27))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Well spread numbers, the same in each run.
    fn hash(n: u64) -> u64 {
        let mixed = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    #[test]
    fn what_was_inserted_is_there_and_hardly_anything_else() {
        for count in [0, 1, 100, 10_000] {
            let mut filter = Filter::new(count);
            (0..count).for_each(|n| filter.insert(hash(n)));
            assert!((0..count).all(|n| filter.may_have(hash(n))));
            let wrong = (count..count + 10_000).filter(|n| filter.may_have(hash(*n)));
            assert!(wrong.count() < 300, "{count}");
        }
    }

    #[test]
    fn a_huge_archive_gets_a_filter_of_bounded_size() {
        let filter = Filter::new(u64::MAX);
        assert_eq!(size_of_val(filter.blocks.as_slice()), 8 << 20);
    }
}
