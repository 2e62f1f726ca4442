/* A link of a given length: hands bytes on late.
 *
 *     distance LISTEN PEER DELAY_NANOSECONDS
 *
 * Addresses are unix:/path or tcp:host:port.  Whoever connects to LISTEN is connected to PEER; bytes come
 * out as they went in and in order, DELAY after they came, in each direction.  Each piece keeps its own
 * time: pieces that came at different times leave at different times.  Any number of bytes may be under
 * way, up to BUFFER_BYTES for each direction: distance is no lack of bandwidth.
 *
 * A timer of the kernel wakes late by tens of microseconds, and a processor that slept is slow for a
 * while; so the last EARLY_NS before a piece is due are spent polling.  With the privilege for it the
 * program runs at a real-time priority: a network shares no processor with those whom it joins.
 *
 * Prints one line when it listens; ends when its standard input does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 256, PIECES_MAX = 1 << 15, SOCKET_BYTES = 4 << 20 };
static const size_t BUFFER_BYTES = 64u << 20, READ_BYTES = 1u << 20;
static const int64_t EARLY_NS = 60000;

struct piece { int64_t due; uint64_t end; };

/* One direction.  Bytes and pieces are counted from the beginning; buffers are rings. */
struct way {
    int from, to;
    char *bytes;
    uint64_t came, went;
    struct piece *pieces;
    unsigned head, tail;   /* pieces that came, pieces that went */
    int ended;             /* no more comes */
    int64_t end_due;
    int over;              /* the other side was told so, or is gone */
    int blocked;           /* the other side takes nothing at the moment */
};

struct connection { int used; struct way ways[2]; };

static struct connection connections[CONNECTIONS_MAX];
static int64_t delay_ns;

static void fail(const char *what) { perror(what); exit(1); }

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/* Listen at an address, or connect to it; a socket, or -1. */
static int open_socket(const char *address, int listens)
{
    struct sockaddr_storage place = {0};
    socklen_t length = 0;
    if (!strncmp(address, "unix:", 5)) {
        struct sockaddr_un *name = (struct sockaddr_un *)&place;
        if (strlen(address + 5) >= sizeof name->sun_path) {
            errno = ENAMETOOLONG;
            return -1;
        }
        name->sun_family = AF_UNIX;
        strcpy(name->sun_path, address + 5);
        length = sizeof *name;
    } else {
        char host[256];
        const char *port = strrchr(address, ':');
        struct addrinfo wanted = {.ai_socktype = SOCK_STREAM}, *found;
        if (strncmp(address, "tcp:", 4) || port - address < 4 || port - address > 200) {
            errno = EINVAL;
            return -1;
        }
        const char *start = address + 4, *end = port;
        if (*start == '[' && end[-1] == ']')
            start++, end--;
        snprintf(host, sizeof host, "%.*s", (int)(end - start), start);
        if (getaddrinfo(host, port + 1, &wanted, &found)) {
            errno = EADDRNOTAVAIL;
            return -1;
        }
        length = found->ai_addrlen;
        memcpy(&place, found->ai_addr, length);
        freeaddrinfo(found);
    }
    int opened = socket(place.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (opened < 0)
        return -1;
    int one = 1;
    if (listens)
        setsockopt(opened, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (listens ? bind(opened, (struct sockaddr *)&place, length) || listen(opened, 64)
                : connect(opened, (struct sockaddr *)&place, length)) {
        close(opened);
        return -1;
    }
    return opened;
}

/* Let a socket hold much, wait for nothing, and keep nothing back. */
static void prepare(int opened)
{
    int size_bytes = SOCKET_BYTES, one = 1;
    setsockopt(opened, SOL_SOCKET, SO_SNDBUF, &size_bytes, sizeof size_bytes);
    setsockopt(opened, SOL_SOCKET, SO_RCVBUF, &size_bytes, sizeof size_bytes);
    setsockopt(opened, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(opened, F_SETFL, fcntl(opened, F_GETFL) | O_NONBLOCK);
}

static void begin_way(struct way *way, int from, int to)
{
    *way = (struct way){.from = from, .to = to};
    way->bytes = mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    way->pieces = malloc(PIECES_MAX * sizeof *way->pieces);
    if (way->bytes == MAP_FAILED || !way->pieces)
        fail("memory");
}

static void begin_connection(int near, const char *peer)
{
    struct connection *free_one = connections;
    while (free_one < connections + CONNECTIONS_MAX && free_one->used)
        free_one++;
    int far = free_one < connections + CONNECTIONS_MAX ? open_socket(peer, 0) : -1;
    if (far < 0) {
        close(near);
        return;
    }
    prepare(near);
    prepare(far);
    free_one->used = 1;
    begin_way(&free_one->ways[0], near, far);
    begin_way(&free_one->ways[1], far, near);
}

static void end_connection(struct connection *connection)
{
    for (int side = 0; side < 2; side++) {
        close(connection->ways[side].from);
        munmap(connection->ways[side].bytes, BUFFER_BYTES);
        free(connection->ways[side].pieces);
    }
    connection->used = 0;
}

static int has_room(const struct way *way)
{
    return !way->ended && way->came - way->went < BUFFER_BYTES && way->head - way->tail < PIECES_MAX;
}

/* Take what came, once. */
static void take(struct way *way)
{
    if (way->came == way->went)
        way->came = way->went = 0;   /* what was used lately is in the processor's cache */
    size_t place = way->came % BUFFER_BYTES, room = BUFFER_BYTES - (way->came - way->went);
    if (room > BUFFER_BYTES - place)
        room = BUFFER_BYTES - place;
    ssize_t found = recv(way->from, way->bytes + place, room < READ_BYTES ? room : READ_BYTES, 0);
    if (found < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    int64_t due = now_ns() + delay_ns;
    if (found <= 0) {
        way->ended = 1;
        way->end_due = due;
        return;
    }
    way->came += found;
    way->pieces[way->head++ % PIECES_MAX] = (struct piece){due, way->came};
}

/* Hand on what is due; return when the next piece is, or 0 when nothing is under way. */
static int64_t hand_on(struct way *way, int64_t now)
{
    way->blocked = 0;
    while (way->tail != way->head) {
        const struct piece *piece = &way->pieces[way->tail % PIECES_MAX];
        if (piece->due > now)
            return piece->due;
        size_t place = way->went % BUFFER_BYTES, length = piece->end - way->went;
        if (length > BUFFER_BYTES - place)
            length = BUFFER_BYTES - place;
        ssize_t sent = send(way->to, way->bytes + place, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN) {
            way->blocked = 1;
            return 0;
        }
        if (sent < 0) {              /* nobody is there any more */
            way->ended = way->over = 1;
            way->tail = way->head;
            return 0;
        }
        way->went += sent;
        if (way->went == piece->end)
            way->tail++;
    }
    if (!way->ended || way->over)
        return 0;
    if (way->end_due > now)
        return way->end_due;
    shutdown(way->to, SHUT_WR);
    way->over = 1;
    return 0;
}

/* Hand on everything that is due; return when something is next, or 0. */
static int64_t hand_all_on(void)
{
    int64_t next = 0;
    for (struct connection *one = connections; one < connections + CONNECTIONS_MAX; one++) {
        if (!one->used)
            continue;
        for (int side = 0; side < 2; side++) {
            int64_t due = one->ways[side].over ? 0 : hand_on(&one->ways[side], now_ns());
            if (due && (!next || due < next))
                next = due;
        }
        if (one->ways[0].over && one->ways[1].over)
            end_connection(one);
    }
    return next;
}

int main(int count, char **words)
{
    static struct pollfd polled[2 + 4 * CONNECTIONS_MAX];
    static struct way *ways[2 + 4 * CONNECTIONS_MAX];
    delay_ns = count == 4 ? atoll(words[3]) : -1;
    if (delay_ns < 0) {
        fprintf(stderr, "distance LISTEN PEER DELAY_NANOSECONDS\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1);
    sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
    int listening = open_socket(words[1], 1);
    if (listening < 0)
        fail(words[1]);
    puts("ready");
    fflush(stdout);
    for (;;) {
        int64_t next = hand_all_on();
        int used = 2;
        polled[0] = (struct pollfd){.fd = 0, .events = POLLIN};
        polled[1] = (struct pollfd){.fd = listening, .events = POLLIN};
        for (int index = 0; index < 2 * CONNECTIONS_MAX; index++) {
            struct way *way = &connections[index / 2].ways[index % 2];
            if (!connections[index / 2].used)
                continue;
            if (has_room(way)) {
                ways[used] = way;
                polled[used++] = (struct pollfd){.fd = way->from, .events = POLLIN};
            }
            if (way->blocked) {
                ways[used] = NULL;
                polled[used++] = (struct pollfd){.fd = way->to, .events = POLLOUT};
            }
        }
        int64_t rest = next ? next - now_ns() - EARLY_NS : 0;
        if (rest < 0)
            rest = 0;
        struct timespec wait = {rest / 1000000000, rest % 1000000000};
        if (ppoll(polled, used, next ? &wait : NULL, NULL) < 0 && errno != EINTR)
            fail("ppoll");
        for (int index = 2; index < used; index++)
            if (ways[index] && polled[index].revents)
                take(ways[index]);
        if (polled[1].revents) {
            int near = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
            if (near >= 0)
                begin_connection(near, words[2]);
        }
        if (polled[0].revents)
            return 0;
    }
}
