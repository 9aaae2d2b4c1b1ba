/* transport.c: libcurl, held to what Via wants of it. */
#include "transport.h"

#include "failure.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define CONNECT_TIMEOUT_MS 5000
#define TIMEOUT_MS 60000
#define ANSWER_MAX ((size_t)1 << 30)

struct via_transport {
    CURL *curl;
    struct curl_slist *headers;
    char url[VIA_PATH_SIZE];
    char words[CURL_ERROR_SIZE]; /* libcurl's own description of the last failure */
};

/* The body on its way out; libcurl pulls it. */
struct upload {
    const struct via_buf *body;
    size_t sent;
};

static void
library_start(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t
upload_pull(char *out, size_t size, size_t n, void *arg)
{
    struct upload *up = arg;
    size_t room = size * n;
    size_t left = up->body->len - up->sent;

    if (left < room)
        room = left;
    memcpy(out, up->body->data + up->sent, room);
    up->sent += room;
    return room;
}

static size_t
answer_push(char *bytes, size_t size, size_t n, void *arg)
{
    struct via_buf *body = arg;

    if (body->len + size * n > ANSWER_MAX)
        return 0;
    via_buf_put(body, bytes, size * n);
    return body->failed ? 0 : size * n;
}

/* The body goes out through a callback, and there is none to rewind it. libcurl repeats a
 * POST on its own when a kept connection dies before any answer; without a rewind it can
 * do so only while no byte of the body has left, so that no write is ever done twice. */
static void
transport_options(struct via_transport *t, const struct via_config *config)
{
    curl_easy_setopt(t->curl, CURLOPT_ERRORBUFFER, t->words);
    curl_easy_setopt(t->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(t->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(t->curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(t->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(t->curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    curl_easy_setopt(t->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(t->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(t->curl, CURLOPT_READFUNCTION, upload_pull);
    curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, answer_push);
    if (config->socket[0])
        curl_easy_setopt(t->curl, CURLOPT_UNIX_SOCKET_PATH, config->socket);
}

struct via_transport *
via_transport_new(const struct via_config *config)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct via_transport *t = calloc(1, sizeof *t);

    pthread_once(&once, library_start);
    if (!t)
        return NULL;
    snprintf(t->url, sizeof t->url, "%s", config->url);
    t->curl = curl_easy_init();
    if (!t->curl || !via_transport_set_token(t, config->token)) {
        via_transport_free(t);
        return NULL;
    }
    transport_options(t, config);
    return t;
}

/* One of the lines is the token. */
static void
headers_free(struct curl_slist *list)
{
    for (struct curl_slist *at = list; at; at = at->next)
        explicit_bzero(at->data, strlen(at->data));
    curl_slist_free_all(list);
}

void
via_transport_free(struct via_transport *t)
{
    if (!t)
        return;
    curl_easy_cleanup(t->curl);
    headers_free(t->headers);
    free(t);
}

bool
via_transport_set_token(struct via_transport *t, const char *token)
{
    static const char *const fixed[] = {"Content-Type: application/json",
                                        "Accept: application/json",
                                        "Expect:"}; /* no waiting for 100 Continue */
    char line[VIA_TOKEN_SIZE + 32];
    struct curl_slist *list = NULL;
    struct curl_slist *longer;

    snprintf(line, sizeof line, "Authorization: Bearer %s", token);
    longer = curl_slist_append(NULL, line);
    explicit_bzero(line, sizeof line);
    for (size_t i = 0; longer && i < sizeof fixed / sizeof *fixed; i++) {
        list = longer;
        longer = curl_slist_append(list, fixed[i]);
    }
    if (!longer) {
        headers_free(list);
        return false;
    }
    curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, longer);
    headers_free(t->headers);
    t->headers = longer;
    return true;
}

void
via_transport_set_timeout(struct via_transport *t, long timeout_ms)
{
    curl_easy_setopt(t->curl, CURLOPT_TIMEOUT_MS, timeout_ms < 0 ? 0 : timeout_ms);
}

/* Say why there is no answer, and whether the request may have been carried out. */
static void
transport_explain(const struct via_transport *t, CURLcode rc, const struct upload *up,
                  const struct via_buf *got, struct via_failure *why)
{
    const char *words = t->words[0] ? t->words : curl_easy_strerror(rc);
    bool sent = up->sent == up->body->len;

    if (rc == CURLE_OUT_OF_MEMORY || got->failed)
        via_failure_set(why, VIA_OUT_OF_MEMORY, "no memory for the agent's answer");
    else if (rc == CURLE_WRITE_ERROR)
        via_failure_set(why, VIA_RESULT_TOO_LARGE, "the agent's answer is longer than 1 GiB");
    else if (!sent)
        via_failure_set(why, VIA_AGENT_UNREACHABLE, "the agent cannot be reached (%s)", words);
    else if (got->len > 0)
        via_failure_set(why, VIA_AGENT_UNREACHABLE,
                        "the agent's answer ended early: a limit was met, or it went away (%s)",
                        words);
    else
        via_failure_set(why, VIA_AGENT_UNREACHABLE,
                        "the agent gave no answer; the statement may have been carried out (%s)",
                        words);
    if (!why)
        return;
    why->maybe_done = sent;
    why->retryable = !sent;
}

bool
via_transport_post(struct via_transport *t, const char *path, const struct via_buf *body,
                   struct via_answer *answer, struct via_failure *why)
{
    struct upload up = {body, 0};
    char url[VIA_PATH_SIZE + 64];
    curl_off_t wait_s = 0;
    long http = 0;
    CURLcode rc;

    snprintf(url, sizeof url, "%s%s", t->url, path);
    via_buf_reset(&answer->body);
    answer->body.secret = answer->secret;
    t->words[0] = '\0';
    curl_easy_setopt(t->curl, CURLOPT_URL, url);
    curl_easy_setopt(t->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
    curl_easy_setopt(t->curl, CURLOPT_READDATA, &up);
    curl_easy_setopt(t->curl, CURLOPT_WRITEDATA, &answer->body);
    rc = curl_easy_perform(t->curl);
    if (rc != CURLE_OK) {
        transport_explain(t, rc, &up, &answer->body, why);
        return false;
    }
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &http);
    curl_easy_getinfo(t->curl, CURLINFO_RETRY_AFTER, &wait_s);
    answer->http = (int)http;
    answer->retry_after_s = wait_s > 0 && wait_s < 86400 ? (int)wait_s : 0;
    return true;
}
