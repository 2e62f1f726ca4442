/* The yardstick: the least that a synchronous replicator must do, in C.
 *
 *     yardstick FOLDER BLOCK_BYTES DEPTH SECONDS APPLY
 *
 * Two processes joined by a Unix socket, one preallocated and written log of LOG_BYTES each.  A round
 * takes DEPTH records of BLOCK_BYTES to random places, sends them, writes and syncs the own log, and
 * waits until the other side has checked, written and synced its own; then all DEPTH are acknowledged.
 * With APPLY 1 a thread of each side then writes the records to a volume of VOLUME_BYTES, and syncs it
 * before log space is used again.  Each record has a header with its place, length and CRC-32.
 *
 * What it does not do: epochs, recovery, reading, more than one client, a peer that is away.  Prints one
 * JSON object: writes, seconds, p50 and p99 of a round in seconds, CPU seconds of both processes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SECTOR = 4096, QUEUE = 32 };
static const uint64_t LOG_BYTES = 64ull << 20, VOLUME_BYTES = 512ull << 20;
static const size_t ROUNDS_MAX = 4000000;

struct record { uint64_t offset; uint32_t length, crc; };

/* One side: its log, its volume, and the rounds that its applier still has to write. */
struct side {
    int log, volume, applies;
    uint64_t log_end;      /* bytes ever written to the log */
    uint64_t log_kept;     /* bytes of it that may be written over */
    pthread_mutex_t lock;
    pthread_cond_t moved;
    char *queue[QUEUE];
    unsigned head, tail;   /* rounds handed over, rounds applied */
};

static size_t block_bytes, round_bytes, depth;
static uint32_t crc_table[8][256];

static void fail(const char *what) { perror(what); exit(1); }

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

/* CRC-32 of zlib, eight bytes at a time. */
static void make_crc_table(void)
{
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t value = n;
        for (int bit = 0; bit < 8; bit++)
            value = value & 1 ? 0xEDB88320u ^ (value >> 1) : value >> 1;
        crc_table[0][n] = value;
    }
    for (uint32_t n = 0; n < 256; n++)
        for (int k = 1; k < 8; k++)
            crc_table[k][n] = crc_table[0][crc_table[k - 1][n] & 255] ^ (crc_table[k - 1][n] >> 8);
}

static uint32_t crc32_of(const unsigned char *data, size_t length)
{
    uint32_t value = ~0u;
    for (; length >= 8; length -= 8, data += 8) {
        uint32_t low, high;
        memcpy(&low, data, 4);
        memcpy(&high, data + 4, 4);
        low ^= value;
        value = crc_table[7][low & 255] ^ crc_table[6][(low >> 8) & 255]
              ^ crc_table[5][(low >> 16) & 255] ^ crc_table[4][low >> 24]
              ^ crc_table[3][high & 255] ^ crc_table[2][(high >> 8) & 255]
              ^ crc_table[1][(high >> 16) & 255] ^ crc_table[0][high >> 24];
    }
    return ~value;
}

static int open_written(const char *folder, const char *name, uint64_t size_bytes)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int file = open(path, O_RDWR | O_CREAT, 0600);
    if (file < 0) fail(path);
    static char zeros[1 << 20];
    for (uint64_t at = lseek(file, 0, SEEK_END); at < size_bytes; at += sizeof zeros)
        if (pwrite(file, zeros, sizeof zeros, at) != sizeof zeros) fail(path);
    if (fsync(file)) fail(path);
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    return file;
}

static void *apply(void *argument)
{
    struct side *side = argument;
    uint64_t unsynced_bytes = 0;
    for (;;) {
        pthread_mutex_lock(&side->lock);
        while (side->head == side->tail) pthread_cond_wait(&side->moved, &side->lock);
        char *round = side->queue[side->tail % QUEUE];
        pthread_mutex_unlock(&side->lock);
        char *at = round;
        for (size_t n = 0; n < depth; n++) {
            struct record *record = (struct record *)at;
            at += sizeof *record;
            if (pwrite(side->volume, at, record->length, record->offset) != record->length)
                fail("apply");
            at += record->length;
        }
        unsynced_bytes += round_bytes;
        if (unsynced_bytes >= LOG_BYTES / 4 && fdatasync(side->volume)) fail("checkpoint");
        pthread_mutex_lock(&side->lock);
        side->tail++;
        if (unsynced_bytes >= LOG_BYTES / 4) {
            side->log_kept += unsynced_bytes;
            unsynced_bytes = 0;
        }
        pthread_cond_broadcast(&side->moved);
        pthread_mutex_unlock(&side->lock);
    }
    return NULL;
}

static void open_side(struct side *side, const char *folder, const char *name, int applies)
{
    char file[64];
    memset(side, 0, sizeof *side);
    side->applies = applies;
    snprintf(file, sizeof file, "%s.log", name);
    side->log = open_written(folder, file, LOG_BYTES);
    snprintf(file, sizeof file, "%s.volume", name);
    side->volume = applies ? open_written(folder, file, VOLUME_BYTES) : -1;
    pthread_mutex_init(&side->lock, NULL);
    pthread_cond_init(&side->moved, NULL);
    for (int n = 0; n < QUEUE; n++) {
        if (posix_memalign((void **)&side->queue[n], SECTOR, round_bytes)) fail("memory");
        memset(side->queue[n], 0, round_bytes);
    }
    pthread_t thread;
    if (applies && pthread_create(&thread, NULL, apply, side)) fail("thread");
}

/* A buffer for the next round; waits while the applier still needs them all. */
static char *next_round(struct side *side)
{
    pthread_mutex_lock(&side->lock);
    while (side->applies
           && (side->head - side->tail >= QUEUE - 1
               || side->log_end + round_bytes > side->log_kept + LOG_BYTES))
        pthread_cond_wait(&side->moved, &side->lock);
    char *round = side->queue[side->head % QUEUE];
    pthread_mutex_unlock(&side->lock);
    return round;
}

static void commit(struct side *side, const char *round)
{
    uint64_t at = side->log_end % LOG_BYTES;
    if (at + round_bytes > LOG_BYTES) at = 0;
    if (pwrite(side->log, round, round_bytes, at) != (ssize_t)round_bytes) fail("log");
    if (fdatasync(side->log)) fail("sync");
    pthread_mutex_lock(&side->lock);
    side->log_end += round_bytes;
    pthread_mutex_unlock(&side->lock);
}

static void hand_over(struct side *side)
{
    pthread_mutex_lock(&side->lock);
    side->head++;
    if (!side->applies) side->tail++;
    pthread_cond_broadcast(&side->moved);
    pthread_mutex_unlock(&side->lock);
}

static int receive(int link, void *into, size_t length)
{
    for (char *at = into; length;) {
        ssize_t got = read(link, at, length);
        if (got <= 0) return 0;
        at += got;
        length -= got;
    }
    return 1;
}

static void send_all(int link, const void *from, size_t length)
{
    for (const char *at = from; length;) {
        ssize_t sent = write(link, at, length);
        if (sent <= 0) fail("send");
        at += sent;
        length -= sent;
    }
}

static double cpu_seconds(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_utime.tv_sec + used.ru_stime.tv_sec
         + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
}

static void be_destination(int link, const char *folder, int applies)
{
    struct side side;
    open_side(&side, folder, "yardstick-destination", applies);
    char answer = 1;
    double prepared = cpu_seconds();  /* what making the files has cost does not count */
    send_all(link, &prepared, sizeof prepared);
    for (;;) {
        char *round = next_round(&side), *at = round;
        if (!receive(link, round, round_bytes)) exit(0);
        for (size_t n = 0; n < depth; n++) {
            struct record *record = (struct record *)at;
            at += sizeof *record;
            if (crc32_of((unsigned char *)at, record->length) != record->crc) fail("checksum");
            at += record->length;
        }
        commit(&side, round);
        send_all(link, &answer, 1);
        hand_over(&side);
    }
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int count, char **words)
{
    if (count != 6) {
        fprintf(stderr, "usage: yardstick FOLDER BLOCK_BYTES DEPTH SECONDS APPLY\n");
        return 64;
    }
    const char *folder = words[1];
    block_bytes = strtoul(words[2], NULL, 10);
    depth = strtoul(words[3], NULL, 10);
    double seconds = atof(words[4]);
    int applies = atoi(words[5]);
    round_bytes = depth * (sizeof(struct record) + block_bytes);
    round_bytes = (round_bytes + SECTOR - 1) / SECTOR * SECTOR;
    make_crc_table();

    int ends[2], room = 4 << 20;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) fail("socket");
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
        close(ends[0]);
        be_destination(ends[1], folder, applies);
    }
    close(ends[1]);
    struct side side;
    open_side(&side, folder, "yardstick-source", applies);
    char answer, *payload = malloc(block_bytes);
    double *rounds = malloc(ROUNDS_MAX * sizeof *rounds);
    if (!payload || !rounds) fail("memory");
    for (size_t n = 0; n < block_bytes; n++) payload[n] = rand();
    double prepared;
    if (!receive(ends[0], &prepared, sizeof prepared)) fail("destination");

    size_t done = 0;
    double cpu = cpu_seconds(), begin = seconds_now(), before = begin;
    while (before - begin < seconds && done < ROUNDS_MAX) {
        char *round = next_round(&side), *at = round;
        for (size_t n = 0; n < depth; n++) {
            struct record *record = (struct record *)at;
            uint64_t place = ((uint64_t)rand() << 31 | rand()) % (VOLUME_BYTES / block_bytes);
            at += sizeof *record;
            memcpy(at, payload, block_bytes);
            *record = (struct record){ place * block_bytes, block_bytes,
                                       crc32_of((unsigned char *)at, block_bytes) };
            at += block_bytes;
        }
        send_all(ends[0], round, round_bytes);
        commit(&side, round);
        if (!receive(ends[0], &answer, 1)) fail("destination");
        hand_over(&side);
        double now = seconds_now();
        rounds[done++] = now - before;
        before = now;
    }
    cpu = cpu_seconds() - cpu - prepared;
    close(ends[0]);
    int status;
    struct rusage used;
    wait4(child, &status, 0, &used);
    cpu += used.ru_utime.tv_sec + used.ru_stime.tv_sec
         + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
    qsort(rounds, done, sizeof *rounds, ascending);
    printf("{\"writes\": %zu, \"seconds\": %.6f, \"p50_seconds\": %.9f, \"p99_seconds\": %.9f,"
           " \"cpu_seconds\": %.6f}\n",
           done * depth, before - begin, rounds[done / 2], rounds[done * 99 / 100], cpu);
    fflush(stdout);
    _exit(0);
}
