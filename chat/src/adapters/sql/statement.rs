//! Building statements of few shapes, so that each is prepared once: 1, 4, 16, 32, 64 or 256 rows, and at most
//! 12 KB of bound bytes (PROTOCOLS M13: larger ones wait for an acknowledgement on every TLS record).

/// Numbers of rows a statement may have, largest first. A message of a hundred characters fits 32 times, a key 256 times.
const SIZES: [usize; 6] = [256, 64, 32, 16, 4, 1];
/// So few keys are filled up to the next size, more are split.
const FILLED_UP: usize = 64;
const MAX_BYTES: usize = 12 * 1024;

/// Splits rows for INSERTs: each chunk has exactly one of `SIZES` rows. A row larger than the bound goes alone.
pub(super) fn insert_chunks<T>(mut rows: &[T], bytes: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let mut chunks = Vec::new();
    while !rows.is_empty() {
        let mut sum = 0;
        let fitting = rows
            .iter()
            .take_while(|row| {
                sum += bytes(row);
                sum <= MAX_BYTES
            })
            .count()
            .max(1);
        let size = SIZES
            .into_iter()
            .find(|size| *size <= fitting)
            .expect("one row always fits");
        let (chunk, rest) = rows.split_at(size);
        chunks.push(chunk);
        rows = rest;
    }
    chunks
}

/// Splits keys for SELECTs: each chunk has one of `SIZES` keys, the last one by repeating its last key, which changes no
/// result.
pub(super) fn select_chunks<T: Copy>(keys: impl IntoIterator<Item = T>) -> Vec<Vec<T>> {
    let mut keys: Vec<T> = keys.into_iter().collect();
    let mut chunks = Vec::new();
    while let Some(last) = keys.last().copied() {
        let count = keys.len();
        let size = match count > FILLED_UP {
            true => SIZES.into_iter().find(|size| *size <= count),
            false => SIZES.into_iter().rev().find(|size| *size >= count),
        };
        let size = size.expect("there is a size for any number of keys");
        let rest = keys.split_off(size.min(count));
        keys.resize(size, last);
        chunks.push(std::mem::replace(&mut keys, rest));
    }
    chunks
}

/// `INSERT INTO table (columns) VALUES (?, ..), (?, ..)`.
pub(super) fn insert(table: &str, columns: &[&str], rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns.len()].join(", "));
    format!(
        "INSERT INTO {table} ({}) VALUES {}",
        columns.join(", "),
        vec![row; rows].join(", ")
    )
}

/// `one OR one OR ..`: understood alike by every dialect, unlike lists of row values.
///
/// Tables joined to the one it is about must be joined by `Dialect::join_in_order`: given many
/// conditions, SQLite else starts from the other table and walks every row of the first.
pub(super) fn any_of(one: &str, times: usize) -> String {
    vec![format!("({one})"); times].join(" OR ")
}

/// `?, ?, ..`
pub(super) fn marks(times: usize) -> String {
    vec!["?"; times].join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inserts_have_few_shapes_and_keep_order() {
        let rows: Vec<usize> = (0..103).collect();
        let chunks = insert_chunks(&rows, |_| 10);
        assert_eq!(
            chunks.iter().map(|chunk| chunk.len()).collect::<Vec<_>>(),
            [64, 32, 4, 1, 1, 1]
        );
        assert_eq!(chunks.concat(), rows);
    }

    #[test]
    fn a_statement_stays_under_the_byte_bound_unless_one_row_is_larger() {
        let chunks = insert_chunks(&[5_000, 5_000, 5_000, 40_000, 1], |row| *row);
        assert_eq!(chunks, [&[5_000][..], &[5_000], &[5_000], &[40_000], &[1]]);
    }

    #[test]
    fn selects_are_filled_up_with_a_key_that_is_there_already() {
        assert_eq!(select_chunks([7, 8, 9]), [vec![7, 8, 9, 9]]);
        let lengths: Vec<usize> = select_chunks(0..130).iter().map(Vec::len).collect();
        assert_eq!(lengths, [64, 64, 4]);
        let lengths: Vec<usize> = select_chunks(0..500).iter().map(Vec::len).collect();
        assert_eq!(lengths, [256, 64, 64, 64, 64]);
        assert!(select_chunks::<u8>([]).is_empty());
    }
}
