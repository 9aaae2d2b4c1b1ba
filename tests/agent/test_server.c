/* The focus of this file is the server's own bounds: the memory that bodies take together, and
 * requests that are parked when it has to end. */
#include "check.h"
#include "http/listen.h"
#include "http/server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BODIES 400000

static struct via_http_request *parked;
static _Atomic bool pulling;

static enum via_http_turn
admit(void *arg, struct via_http_request *r)
{
    (void)arg;
    (void)r;
    return VIA_HTTP_READ;
}

static ssize_t
pull(struct via_http_request *r, char *out, size_t size)
{
    (void)r;
    memset(out, 'x', size);
    return (ssize_t)size;
}

static enum via_http_turn
serve(void *arg, struct via_http_request *r)
{
    (void)arg;
    if (strcmp(r->path, "/park") == 0) {
        via_http_park(r);
        parked = r;
        return VIA_HTTP_PARKED;
    }
    r->status = 200;
    if (strcmp(r->path, "/endless") == 0) {
        r->pull = pull;
        atomic_store(&pulling, true);
        return VIA_HTTP_ANSWERED;
    }
    via_buf_puts(&r->reply, "fine");
    return VIA_HTTP_ANSWERED;
}

static void
refuse(void *arg, struct via_http_request *r, enum via_http_refusal why, const char *sentence)
{
    (void)arg;
    (void)sentence;
    r->retry_after_s = r->status == 503 ? 7 : 0;
    via_buf_printf(&r->reply, "refused %d", (int)why);
}

static size_t
body_limit(void *arg)
{
    (void)arg;
    return 300000;
}

static void
over(void *arg, struct via_http_request *r)
{
    (void)arg;
    if (r->pull)
        atomic_store(&pulling, false);
}

static void
nap(int ms)
{
    struct timespec t = {.tv_nsec = ms * 1000000L};

    nanosleep(&t, NULL);
}

static int
dial(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(fd, (struct sockaddr *)&a, sizeof a) == 0 ? fd : -1;
}

/* Send a head, and `n` bytes of body. */
static void
say(int fd, const char *path, int length, int n)
{
    char head[160], *body = calloc(1, (size_t)n + 1);
    int len = snprintf(head, sizeof head,
                       "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", path, length);

    (void)!write(fd, head, (size_t)len);
    (void)!write(fd, body, (size_t)n);
    free(body);
}

/* The status that comes back within a second, 0 for none; the rest in `text`. */
static int
hear(int fd, char text[512])
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ssize_t n = poll(&p, 1, 1000) == 1 ? read(fd, text, 511) : 0;

    text[n > 0 ? n : 0] = '\0';
    return n > 12 ? atoi(text + 9) : 0;
}

static void
check_bodies(int port)
{
    int many[6];
    char text[512];

    for (int i = 0; i < 6; i++) {
        many[i] = dial(port);
        say(many[i], "/", 130000, i < 3 ? 129999 : 0);
        nap(50);
    }
    CHECK(hear(many[5], text) == 503,
          "with too many bytes of bodies in memory the next long one is refused: %.20s", text);
    CHECK(strstr(text, "Retry-After: 7") && strstr(text, "close"), "for now: %s", text);
    for (int i = 0; i < 6; i++)
        close(many[i]);
    nap(100);
    many[0] = dial(port);
    say(many[0], "/", 130000, 130000);
    CHECK(hear(many[0], text) == 200, "once they are gone it is read again: %.20s", text);
    close(many[0]);
}

static void
check_short(int port)
{
    int holders[3], fd = dial(port);
    char text[512];

    for (int i = 0; i < 3; i++) {
        holders[i] = dial(port);
        say(holders[i], "/", 290000, 150000);
    }
    nap(100);
    say(fd, "/", 1000, 1000);
    CHECK(hear(fd, text) == 200, "a short body is read all the same: %.20s", text);
    close(fd);
    for (int i = 0; i < 3; i++)
        close(holders[i]);
}

static void
check_stall(int port)
{
    int fd = dial(port);

    say(fd, "/endless", 2, 2);
    nap(300);
    CHECK(atomic_load(&pulling), "a client that does not read is waited for");
    for (int i = 0; i < 80 && atomic_load(&pulling); i++)
        nap(50);
    CHECK(!atomic_load(&pulling), "for stall_s and no longer");
    close(fd);
}

static void
check_abandon(struct via_http_server *s, int port)
{
    int fd = dial(port);
    char text[512];

    say(fd, "/park", 2, 2);
    while (!parked)
        nap(5);
    nap(20);
    CHECK(via_http_server_abandon(s) == 1, "a parked request can be abandoned");
    CHECK(hear(fd, text) == 503 && strstr(text, "refused 3"), "its client is told: %.20s", text);
    via_http_resume(parked);
    nap(50);
    CHECK(via_http_server_busy(s) == 0, "and a resume that comes late does nothing");
    close(fd);
}

int
main(void)
{
    static const struct via_http_handler handler = {.admit = admit,
                                                    .serve = serve,
                                                    .refuse = refuse,
                                                    .body_limit = body_limit,
                                                    .bodies_max = BODIES,
                                                    .stall_s = 1,
                                                    .over = over,
                                                    .gone = over};
    struct via_http_server *s;
    struct via_error e = {0};
    char actual[VIA_LISTEN_SIZE];
    bool loopback;
    int fd, port;

    if (!CHECK(via_listen_tcp("127.0.0.1:0", &fd, actual, &loopback, &e) == VIA_OK, "it listens"))
        return check_end();
    port = atoi(strchr(actual, ':') + 1);
    s = via_http_server_new(fd, &handler);
    check_bodies(port);
    check_short(port);
    check_stall(port);
    check_abandon(s, port);
    return check_end(); /* a server that was left behind is not freed */
}
