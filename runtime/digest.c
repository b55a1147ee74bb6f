/* digest.c - BLAKE2b (RFC 7693) with 32 bytes of digest and no key.
 *
 * In: bytes. Out: their digest. The whole input lies in memory, so there is no state between calls and nothing to fail.
 * Not libsodium's: its one function brings the library's start-up with it, which brings every other algorithm, four
 * times the size of the loader, and an abort() on misuse.
 */
#include <string.h>

#include "digest.h"

enum { BLOCK_BYTES = 128, ROUNDS = 12 };

static const uint64_t initial[8] = {
    0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
    0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
};

/* Which word of the message goes where in a round; rounds 10 and 11 repeat 0 and 1. */
static const uint8_t order[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static uint64_t rotate(uint64_t x, int by)
{
	return x >> by | x << (64 - by);
}

static void mix(uint64_t v[16], int a, int b, int c, int d, uint64_t x, uint64_t y)
{
	v[a] += v[b] + x;
	v[d] = rotate(v[d] ^ v[a], 32);
	v[c] += v[d];
	v[b] = rotate(v[b] ^ v[c], 24);
	v[a] += v[b] + y;
	v[d] = rotate(v[d] ^ v[a], 16);
	v[c] += v[d];
	v[b] = rotate(v[b] ^ v[c], 63);
}

/* `counted`: bytes of the input up to the end of this block. */
static void compress(uint64_t h[8], const uint8_t block[BLOCK_BYTES], uint64_t counted, int last)
{
	uint64_t v[16], m[16];
	int i, round;

	memcpy(m, block, sizeof(m));
	for (i = 0; i < 8; i++) {
		v[i] = h[i];
		v[i + 8] = initial[i];
	}
	v[12] ^= counted;
	if (last)
		v[14] = ~v[14];
	for (round = 0; round < ROUNDS; round++) {
		const uint8_t *s = order[round % 10];

		for (i = 0; i < 4; i++)
			mix(v, i, i + 4, i + 8, i + 12, m[s[2 * i]], m[s[2 * i + 1]]);
		for (i = 0; i < 4; i++)
			mix(v, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, m[s[8 + 2 * i]], m[s[9 + 2 * i]]);
	}
	for (i = 0; i < 8; i++)
		h[i] ^= v[i] ^ v[i + 8];
}

void vyre_digest(const uint8_t *bytes, uint64_t size, uint8_t digest[VYRE_BLOB_DIGEST_BYTES])
{
	uint64_t h[8], done = 0;
	uint8_t rest[BLOCK_BYTES] = {0};

	memcpy(h, initial, sizeof(h));
	h[0] ^= 0x01010000 ^ VYRE_BLOB_DIGEST_BYTES;
	/* The last block, full or not, is marked as last; an empty input is one empty block. */
	for (; size - done > BLOCK_BYTES; done += BLOCK_BYTES)
		compress(h, bytes + done, done + BLOCK_BYTES, 0);
	if (size != done)
		memcpy(rest, bytes + done, size - done);
	compress(h, rest, size, 1);
	memcpy(digest, h, VYRE_BLOB_DIGEST_BYTES);
}
