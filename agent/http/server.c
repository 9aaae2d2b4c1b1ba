/* server.c: connections and requests over the HTTP library.
 *
 * Owns one struct link a connection. What it must not know: routes, tokens, SQL. */
#include "http/link.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POOL_THREADS 2
#define KEEP_BYTES (64 * 1024)
#define IDLE_S 300 /* a connection on which nothing moves, streams apart */
#define CONNECTIONS 8192
#define TOO_LARGE "the request is longer than request_bytes allows"

static _Atomic size_t bodies_bytes; /* of all servers */

static struct link *
link_of(struct via_http_request *r)
{
    return (struct link *)(void *)r;
}

/* -- requests ------------------------------------------------------------------- */

static void
body_free(struct link *l)
{
    via_buf_deinit(&l->r.body);
    atomic_fetch_sub_explicit(&bodies_bytes, l->counted, memory_order_relaxed);
    l->counted = 0;
}

/* May the body grow by `n` bytes, beside those of others? One that fits in what is kept with
 * every connection is not counted. Growing doubles the memory. */
static bool
body_may_grow(const struct link *l, size_t n)
{
    const struct via_buf *b = &l->r.body;
    size_t more = b->cap > n ? b->cap : n;

    return b->len + n < b->cap || b->len + n < KEEP_BYTES ||
           atomic_load_explicit(&bodies_bytes, memory_order_relaxed) + more <=
               l->server->handler->bodies_max;
}

static void
body_count(struct link *l)
{
    size_t now = l->r.body.cap > KEEP_BYTES ? l->r.body.cap : 0;

    if (now > l->counted)
        atomic_fetch_add_explicit(&bodies_bytes, now - l->counted, memory_order_relaxed);
    l->counted = now > l->counted ? now : l->counted;
}

/* Parked, `l` belongs to whoever answers. */
static enum via_http_turn
link_turn(struct link *l, enum via_http_turn (*turn)(void *, struct via_http_request *))
{
    struct via_http_server *s = l->server;
    enum via_http_turn how;

    atomic_fetch_add_explicit(&s->serving, 1, memory_order_relaxed);
    how = turn(s->handler->arg, &l->r);
    atomic_fetch_sub_explicit(&s->serving, 1, memory_order_relaxed);
    return how;
}

/* Is the body to be read for what comes next? One that is not is swallowed while `l` is parked. */
static enum via_http_turn
link_admit(struct link *l)
{
    enum via_http_turn how;

    l->swallowed = 1;
    how = link_turn(l, l->server->handler->admit);
    if (how == VIA_HTTP_READ)
        l->swallowed = 0;
    return how;
}

static enum MHD_Result
link_begin(struct link *l, const char *method, const char *path, const char *version)
{
    struct via_http_headers h = {0};
    enum via_http_turn how;

    l->r.method = method;
    l->r.path = path;
    l->r.status = 0;
    l->r.allow = NULL;
    l->r.retry_after_s = 0;
    l->r.content_type = NULL;
    l->r.cache_s = 0;
    l->r.close = false;
    l->r.pull = NULL;
    l->answered = false;
    l->swallowed = 0;
    l->overloaded = false;
    via_buf_reset(&l->r.body);
    via_buf_reset(&l->r.reply);
    atomic_fetch_add_explicit(&l->server->busy, 1, memory_order_relaxed);

    if (strcmp(version, MHD_HTTP_VERSION_1_1) != 0 && strcmp(version, MHD_HTTP_VERSION_1_0) != 0) {
        via_link_refuse(l, 505, VIA_HTTP_MALFORMED, "only HTTP/1.1 is spoken here");
        return via_link_queue(l);
    }
    via_http_headers_read(&h, l->connection);
    if (h.wrong) {
        via_link_refuse(l, 400, VIA_HTTP_MALFORMED, h.wrong);
        return via_link_queue(l);
    }
    l->r.host = h.host;
    l->r.origin = h.origin;
    l->r.authorization = h.authorization;
    l->limit = l->server->handler->body_limit(l->server->handler->arg);
    l->r.has_body = h.length > 0 || h.has_coding;
    how = link_admit(l);
    if (how != VIA_HTTP_READ)
        return how == VIA_HTTP_ANSWERED ? via_link_queue(l) : MHD_YES;
    if (h.length > l->limit) {
        via_link_refuse(l, 413, VIA_HTTP_TOO_LARGE, TOO_LARGE);
        return via_link_queue_late(l, &h);
    }
    if (h.length && !body_may_grow(l, (size_t)h.length)) {
        via_link_refuse_overloaded(l);
        return via_link_queue(l);
    }
    return MHD_YES;
}

/* A body without a declared length can only be refused once it has arrived, as others are for the
 * client's sake: keep nothing of it, and give up on one that does not end. */
static enum MHD_Result
link_body(struct link *l, const char *bytes, size_t n)
{
    if (!l->swallowed && n <= l->limit - l->r.body.len) {
        l->overloaded = !body_may_grow(l, n);
        if (!l->overloaded) {
            via_buf_put(&l->r.body, bytes, n);
            body_count(l);
            return l->r.body.failed ? MHD_NO : MHD_YES;
        }
    }
    body_free(l);
    l->swallowed += n;
    return l->swallowed > VIA_HTTP_SWALLOW_TIMES * l->limit + 1 ? MHD_NO : MHD_YES;
}

static enum MHD_Result
server_handle(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
              const char *version, const char *upload, size_t *upload_size, void **request)
{
    struct link *l = *request;

    (void)arg;
    if (!l) {
        l = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
        if (!l)
            return MHD_NO;
        *request = l;
        l->connection = connection;
        return link_begin(l, method, path, version);
    }
    if (atomic_load(&l->abandoned))
        return via_link_queue_farewell(l);
    if (*upload_size) {
        size_t n = *upload_size;

        *upload_size = 0;
        return link_body(l, upload, n);
    }
    if (l->answered)
        return via_link_queue(l);
    if (l->overloaded)
        via_link_refuse_overloaded(l);
    else if (l->swallowed)
        via_link_refuse(l, 413, VIA_HTTP_TOO_LARGE, TOO_LARGE);
    else if (link_turn(l, l->server->handler->serve) != VIA_HTTP_ANSWERED)
        return MHD_YES;
    return via_link_queue(l);
}

static void
server_over(void *arg, struct MHD_Connection *connection, void **request,
            enum MHD_RequestTerminationCode why)
{
    struct link *l = *request;

    (void)arg;
    (void)why;
    if (!l)
        return;
    *request = NULL;
    atomic_fetch_sub_explicit(&l->server->busy, 1, memory_order_relaxed);
    if (atomic_load(&l->abandoned))
        return;
    if (l->r.pull)
        MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)IDLE_S);
    l->server->handler->over(l->server->handler->arg, &l->r);
    if (l->r.body.cap > KEEP_BYTES)
        body_free(l);
    if (l->r.reply.secret)
        via_buf_reset(&l->r.reply);
    if (l->r.reply.cap > KEEP_BYTES)
        via_buf_deinit(&l->r.reply);
}

static void
server_notice(void *arg, struct MHD_Connection *connection, void **context,
              enum MHD_ConnectionNotificationCode what)
{
    struct via_http_server *s = arg;
    struct link *l = *context;

    (void)connection;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        l = calloc(1, sizeof *l);
        if (l) {
            l->server = s;
            via_buf_init(&l->r.body);
            via_buf_init(&l->r.reply);
        }
        *context = l;
    } else if (l && !atomic_load(&l->abandoned)) {
        s->handler->gone(s->handler->arg, &l->r);
        body_free(l);
        via_buf_deinit(&l->r.reply);
        free(l);
        *context = NULL;
    }
}

void
via_http_park(struct via_http_request *r)
{
    struct link *l = link_of(r);
    struct via_http_server *s = l->server;

    MHD_suspend_connection(l->connection);
    pthread_mutex_lock(&s->lock);
    l->next = s->parked;
    l->at = &s->parked;
    if (l->next)
        l->next->at = &l->next;
    s->parked = l;
    pthread_mutex_unlock(&s->lock);
}

/* Take `l` from among the parked; the lock is held. */
static void
link_unpark(struct link *l)
{
    *l->at = l->next;
    if (l->next)
        l->next->at = l->at;
    l->at = NULL;
}

void
via_http_resume(struct via_http_request *r)
{
    struct link *l = link_of(r);
    struct via_http_server *s = l->server;
    bool abandoned;

    pthread_mutex_lock(&s->lock);
    abandoned = atomic_load(&l->abandoned);
    if (!abandoned)
        link_unpark(l);
    pthread_mutex_unlock(&s->lock);
    if (abandoned)
        return;
    l->answered = true;
    MHD_resume_connection(l->connection);
}

int
via_http_server_abandon(struct via_http_server *s)
{
    struct via_http_request last = {.status = 503};
    int count = 0;

    via_buf_init(&last.reply);
    s->handler->refuse(s->handler->arg, &last, VIA_HTTP_ENDING,
                       "the agent went down before this was done, or known to be");
    pthread_mutex_lock(&s->lock);
    while (s->parked) {
        struct link *l = s->parked;

        link_unpark(l);
        via_buf_init(&l->farewell);
        via_buf_put(&l->farewell, last.reply.data, last.reply.len);
        atomic_store(&l->abandoned, true);
        MHD_resume_connection(l->connection);
        count++;
    }
    pthread_mutex_unlock(&s->lock);
    via_buf_deinit(&last.reply);
    return count;
}

/* -- the server ----------------------------------------------------------------- */

/* Decode %xx in place. A NUL would end the path in the middle; it is made a byte that no route has.
 */
static size_t
server_unescape(void *arg, struct MHD_Connection *connection, char *text)
{
    size_t n = MHD_http_unescape(text);

    (void)arg;
    (void)connection;
    for (size_t i = 0; i < n; i++)
        if (text[i] == '\0')
            text[i] = '\x01';
    return n;
}

struct via_http_server *
via_http_server_new(int fd, const struct via_http_handler *handler)
{
    struct via_http_server *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->handler = handler;
    s->fd = fd;
    pthread_mutex_init(&s->lock, NULL);
    s->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_SUPPRESS_DATE_NO_CLOCK,
        0, NULL, NULL, server_handle, s, MHD_OPTION_LISTEN_SOCKET, (MHD_socket)fd,
        MHD_OPTION_THREAD_POOL_SIZE, (unsigned)POOL_THREADS, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)VIA_HTTP_PIECE_BYTES,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_S, MHD_OPTION_NOTIFY_COMPLETED, server_over, s, MHD_OPTION_NOTIFY_CONNECTION,
        server_notice, s, MHD_OPTION_UNESCAPE_CALLBACK, server_unescape, NULL,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (!s->daemon) {
        pthread_mutex_destroy(&s->lock);
        free(s);
        return NULL;
    }
    return s;
}

void
via_http_server_quiesce(struct via_http_server *s)
{
    if (!s->quiesced)
        s->fd = MHD_quiesce_daemon(s->daemon);
    s->quiesced = true;
}

int
via_http_server_serving(const struct via_http_server *s)
{
    return atomic_load(&s->serving);
}

int
via_http_server_busy(const struct via_http_server *s)
{
    return atomic_load(&s->busy);
}

void
via_http_server_free(struct via_http_server *s)
{
    if (!s)
        return;
    MHD_stop_daemon(s->daemon);
    if (s->quiesced && s->fd >= 0)
        close(s->fd);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
