/* The focus of this file is one keep-alive client on a Unix socket that sends the same kind of
 * request over and over, and says how many were answered a second, and how many milliseconds
 * all but the slowest hundredth took at most.
 *
 *     loadgen SOCKET REQUESTS TOKEN_FILE POINTS [PATH BODY [STATUS]]
 *
 * The first %d in BODY becomes a point from 1 to POINTS, another one each time; an empty BODY
 * makes it a GET. An answer other than STATUS (200) ends it with status 1. TOKEN_FILE may be "-"
 * for none. Prints the two numbers alone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_PATH "/v1/runtime/sql/query"
#define DEFAULT_BODY                                                                               \
    "{\"binding\":\"DATABASE\",\"sql\":\"SELECT body FROM item WHERE id = ?\",\"params\":[%d]}"

static char token[8192], in[1 << 20];

static double
now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
fail(const char *what)
{
    fprintf(stderr, "loadgen: %s\n", what);
    return 1;
}

static void
token_read(const char *path)
{
    FILE *f = strcmp(path, "-") ? fopen(path, "r") : NULL;

    if (!f)
        return;
    if (!fgets(token, sizeof token, f))
        token[0] = '\0';
    token[strcspn(token, "\n")] = '\0';
    fclose(f);
}

static int
connect_to(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    return fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0 ? fd : -1;
}

/* Read one whole answer of a known length into `in`; is it of `status`? */
static int
answer_read(int fd, const char *status)
{
    size_t len = 0, whole = 0;

    while (!whole || len < whole) {
        ssize_t n = recv(fd, in + len, sizeof in - 1 - len, 0);
        char *end, *length;

        if (n <= 0)
            return 0;
        len += (size_t)n;
        in[len] = '\0';
        end = strstr(in, "\r\n\r\n");
        length = end ? strcasestr(in, "content-length:") : NULL;
        if (length)
            whole = (size_t)(end + 4 - in) + strtoul(length + 15, NULL, 10);
    }
    return strncmp(in, "HTTP/1.1 ", 9) == 0 && strncmp(in + 9, status, 3) == 0;
}

static int
request_make(char *out, size_t size, const char *path, const char *pattern, long point)
{
    char body[4096];
    const char *at = strstr(pattern, "%d");
    int n =
        at ? snprintf(body, sizeof body, "%.*s%ld%s", (int)(at - pattern), pattern, point, at + 2)
           : snprintf(body, sizeof body, "%s", pattern);

    if (!*pattern)
        return snprintf(out, size, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s%s%s\r\n", path,
                        token[0] ? "Authorization: Bearer " : "", token, token[0] ? "\r\n" : "");
    return snprintf(
        out, size, "POST %s HTTP/1.1\r\nHost: localhost\r\n%s%s%sContent-Length: %d\r\n\r\n%s",
        path, token[0] ? "Authorization: Bearer " : "", token, token[0] ? "\r\n" : "", n, body);
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
    static char out[16384];
    long requests, points;
    const char *path = argc >= 7 ? argv[5] : DEFAULT_PATH,
               *body = argc >= 7 ? argv[6] : DEFAULT_BODY;
    const char *status = argc == 8 ? argv[7] : "200";
    double begun, *took_s;
    int fd;

    if (argc != 5 && argc != 7 && argc != 8)
        return fail("usage: loadgen SOCKET REQUESTS TOKEN_FILE POINTS [PATH BODY [STATUS]]") + 1;
    requests = strtol(argv[2], NULL, 10);
    points = strtol(argv[4], NULL, 10);
    token_read(argv[3]);
    fd = connect_to(argv[1]);
    if (fd < 0 || points < 1 || requests < 1)
        return fail("cannot connect");
    took_s = calloc((size_t)requests, sizeof *took_s);
    if (!took_s)
        return fail("out of memory");
    begun = now_s();
    for (long i = 0; i < requests; i++) {
        int n = request_make(out, sizeof out, path, body, 1 + i * 7919 % points);
        double sent = now_s();

        if (send(fd, out, (size_t)n, MSG_NOSIGNAL) != n)
            return fail("cannot send");
        if (!answer_read(fd, status))
            return fail(in);
        took_s[i] = now_s() - sent;
    }
    begun = now_s() - begun;
    qsort(took_s, (size_t)requests, sizeof *took_s, compare);
    printf("%.0f %.3f\n", (double)requests / begun, took_s[requests * 99 / 100] * 1e3);
    free(took_s);
    close(fd);
    return 0;
}
