/* The load: an NBD client that keeps DEPTH requests under way, in C so that the server is what is measured.
 *
 *     nbdload SOCKET EXPORT MODE BLOCK_BYTES DEPTH SECONDS
 *
 * MODE: write   WRITE, answered as the server likes
 *       fua     WRITE with FUA: durable when it is answered
 *       flush   WRITE, and a FLUSH once it is answered; the two count as one
 *       read    READ
 *
 * Places are random and whole blocks; what is under way at the end is waited for, and not counted.  Prints one JSON object: writes (or reads), seconds, p50 and p99 from
 * sending until the last answer in seconds, CPU seconds of the client.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { READ = 0, WRITE = 1, DISCONNECT = 2, FLUSH = 3, FUA = 1 };
static const uint32_t REQUEST_MAGIC = 0x25609513, REPLY_MAGIC = 0x67446698;
static const uint64_t OPTION_MAGIC = 0x49484156454F5054ull; /* IHAVEOPT */
static const size_t ANSWERS_MAX = 8000000;

struct request { uint32_t magic; uint16_t flags, type; uint64_t cookie, offset; uint32_t length; } __attribute__((packed));
struct reply { uint32_t magic, error; uint64_t cookie; } __attribute__((packed));
struct slot { double sent; int flushing; };

static int link_fd;
static char in[1 << 20];
static size_t in_begin, in_end;

static void fail(const char *what) { perror(what); exit(1); }

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

static void take(void *into, size_t length)
{
    char *at = into;
    while (length) {
        if (in_begin == in_end) {
            ssize_t got = read(link_fd, in, sizeof in);
            if (got <= 0) fail("the server hung up");
            in_begin = 0, in_end = got;
        }
        size_t part = length < in_end - in_begin ? length : in_end - in_begin;
        memcpy(at, in + in_begin, part);
        in_begin += part, at += part, length -= part;
    }
}

static void give(struct iovec *parts, int count)
{
    while (count) {
        ssize_t done = writev(link_fd, parts, count);
        if (done < 0) fail("the server hung up");
        while (count && (size_t)done >= parts->iov_len) done -= parts->iov_len, parts++, count--;
        if (count) parts->iov_base = (char *)parts->iov_base + done, parts->iov_len -= done;
    }
}

/* Choose the export in the one way that every server knows; return its size. */
static uint64_t handshake(const char *path, const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof address.sun_path) { fprintf(stderr, "%s: too long\n", path); exit(1); }
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    link_fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (link_fd < 0 || connect(link_fd, (struct sockaddr *)&address, sizeof address)) fail(path);
    char hello[18], answer[10];
    take(hello, sizeof hello);
    uint32_t flags = htobe32(3); /* fixed newstyle, no zeroes */
    struct { uint64_t magic; uint32_t option, length; } __attribute__((packed)) option =
        { htobe64(OPTION_MAGIC), htobe32(1), htobe32(strlen(name)) };
    struct iovec parts[] = { { &flags, sizeof flags }, { &option, sizeof option }, { (void *)name, strlen(name) } };
    give(parts, 3);
    take(answer, sizeof answer);
    uint64_t size_bytes;
    memcpy(&size_bytes, answer, sizeof size_bytes);
    return be64toh(size_bytes);
}

static void send_request(uint16_t type, uint16_t flags, uint64_t cookie, uint64_t offset, uint32_t length, char *payload)
{
    struct request request = { htobe32(REQUEST_MAGIC), htobe16(flags), htobe16(type), cookie,
                               htobe64(offset), htobe32(length) };
    struct iovec parts[] = { { &request, sizeof request }, { payload, length } };
    give(parts, type == WRITE ? 2 : 1);
}

static int ascending(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

int main(int count, char **words)
{
    if (count != 7) {
        fprintf(stderr, "usage: nbdload SOCKET EXPORT write|fua|flush|read BLOCK_BYTES DEPTH SECONDS\n");
        return 64;
    }
    const char *mode = words[3];
    size_t block_bytes = strtoul(words[4], NULL, 10), depth = strtoul(words[5], NULL, 10);
    double seconds = atof(words[6]);
    int reads = !strcmp(mode, "read"), flushes = !strcmp(mode, "flush");
    uint16_t flags = strcmp(mode, "fua") ? 0 : FUA;
    uint64_t blocks = handshake(words[1], words[2]) / block_bytes;
    char *payload = malloc(block_bytes);
    struct slot *slots = calloc(depth, sizeof *slots);
    double *latencies = malloc(ANSWERS_MAX * sizeof *latencies);
    if (!payload || !slots || !latencies || !blocks) fail("memory or size");
    for (size_t n = 0; n < block_bytes; n++) payload[n] = rand();

    size_t done = 0, under_way = 0, next = 0;
    double begin = seconds_now(), now = begin;
    do {
        /* First all slots, then each one as it becomes free. */
        size_t slot = under_way < depth ? under_way++ : next;
        uint64_t place = ((uint64_t)rand() << 31 | rand()) % blocks * block_bytes;
        slots[slot] = (struct slot){ seconds_now(), 0 };
        send_request(reads ? READ : WRITE, flags, slot, place, block_bytes, payload);
        while (under_way == depth) {
            struct reply reply;
            take(&reply, sizeof reply);
            if (be32toh(reply.magic) != REPLY_MAGIC || reply.error) fail("the server refused");
            next = reply.cookie;
            if (reads) take(payload, block_bytes);
            if (flushes && !slots[next].flushing) {
                slots[next].flushing = 1;
                send_request(FLUSH, 0, next, 0, 0, NULL);
                continue;
            }
            now = seconds_now();
            latencies[done++] = now - slots[next].sent;
            break;
        }
    } while (now - begin < seconds && done < ANSWERS_MAX);
    for (size_t left = depth - 1; left; left--) {
        struct reply reply;
        take(&reply, sizeof reply);
        if (reads) take(payload, block_bytes);
    }
    send_request(DISCONNECT, 0, 0, 0, 0, NULL);

    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    qsort(latencies, done, sizeof *latencies, ascending);
    printf("{\"writes\": %zu, \"seconds\": %.6f, \"p50_seconds\": %.9f, \"p99_seconds\": %.9f, \"cpu_seconds\": %.6f}\n",
           done, now - begin, latencies[done / 2], latencies[done * 99 / 100],
           used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6);
    return 0;
}
