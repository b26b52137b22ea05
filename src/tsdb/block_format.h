// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TSDB_BLOCK_FORMAT_H
#define TSDB_BLOCK_FORMAT_H

/*
 * Where things stand in a block file (docs/store-format.md). Numbers are little-endian.
 *
 *   header   16 B
 *   blobs    { u32 crc of what follows, u32 length, column }
 *   index    symbols, series, names
 *   footer   160 B
 */

#define BLOCK_MAGIC "VHERDBLK"
#define BLOCK_END_MAGIC "KLBDREHV"
#define BLOCK_VERSION 1

#define HEADER_BYTES 16 /* magic, u32 version, u32 0 */
#define BLOB_HEAD 8
#define BLOB_MAX (16u << 20)

#define FOOTER_BYTES 160
#define FOOTER_VERSION 0 /* u32, then u32 level */
#define FOOTER_LEVEL 4
#define FOOTER_RESOLUTION 8 /* from here u64 each */
#define FOOTER_WINDOW_START 16
#define FOOTER_WINDOW_END 24
#define FOOTER_MIN 32
#define FOOTER_MAX 40
#define FOOTER_SAMPLES 48
#define FOOTER_CHUNKS 56
#define FOOTER_LOG_COVERED 64
#define FOOTER_DELETIONS 72
#define FOOTER_SERIAL 80
#define FOOTER_SYMBOLS 88 /* offsets of the sections in the file */
#define FOOTER_SERIES 96
#define FOOTER_NAMES 104
#define FOOTER_INDEX_END 112
#define FOOTER_N_SERIES 120 /* u32 each */
#define FOOTER_N_SYMBOLS 124
#define FOOTER_N_NAMES 128
#define FOOTER_INDEX_CRC 132
#define FOOTER_CRC 148 /* of the 148 bytes before */
#define FOOTER_MAGIC 152

/* A row of the table of names: u32 symbol, u32 number of values, u32 offset of their rows. */
#define NAME_ROW 12
/* A row of a value: u32 symbol, u32 offset of its postings. */
#define VALUE_ROW 8

/* Columns of a chunk of buckets, without times (their ends). */
enum bucket_column {
    COLUMN_FIRST_MS, /* end - first_ms */
    COLUMN_LAST_MS,  /* end - last_ms */
    COLUMN_FIRST,
    COLUMN_LAST,
    COLUMN_MIN,
    COLUMN_MAX,
    COLUMN_SUM,
    COLUMN_INCREASE,
    COLUMN_COUNT,
    COLUMN_RESETS, /* resets << 1 | stale */
    BUCKET_COLUMNS,
};

#endif
