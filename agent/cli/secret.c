#include "cli/secret.h"

#include "base/error.h"
#include "base/io.h"
#include "identity/keys.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <termios.h>
#include <unistd.h>

#define SECRET_BYTES 65536
#define SECRET_ROOM (SECRET_BYTES + 3) /* a line end that is left out, and a NUL */

static volatile sig_atomic_t interrupted;

static void
interrupt(int number)
{
    interrupted = number;
}

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
#define SIGNALS (sizeof signals / sizeof signals[0])

/* Read to the end of a line, unless a signal ends the waiting; -1 with errno. */
static ssize_t
line_read(char *out, size_t size)
{
    size_t n = 0;
    ssize_t got;

    while (n < size && (n == 0 || out[n - 1] != '\n')) {
        got = read(STDIN_FILENO, out + n, size - n);
        if (got < 0 && errno == EINTR && !interrupted)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    return (ssize_t)n;
}

/* Ask on the terminal, which is left as it was whatever ends the waiting. */
static ssize_t
read_unseen(const char *name, char *out, size_t size)
{
    struct sigaction act = {.sa_handler = interrupt}, old[SIGNALS];
    struct termios seen, unseen;
    ssize_t n;
    int failed;

    if (tcgetattr(STDIN_FILENO, &seen) < 0)
        return -1;
    unseen = seen;
    unseen.c_lflag &= ~(tcflag_t)ECHO;
    interrupted = 0;
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &act, &old[i]);
    /* Echo goes first: who sees the prompt may type. */
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen);
    (void)fprintf(stderr, "%s: ", name);
    n = line_read(out, size);
    failed = errno;
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &seen);
    (void)fputc('\n', stderr);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &old[i], NULL);
    if (interrupted)
        (void)raise(interrupted);
    errno = failed;
    return n;
}

void
cli_secret_hide(void)
{
    (void)prctl(PR_SET_DUMPABLE, 0);
}

char *
cli_secret_read(struct cli *cli, const char *name)
{
    const struct rlimit none = {0, 0};
    char *text = via_guarded_new(SECRET_ROOM);
    ssize_t n = -1;

    (void)setrlimit(RLIMIT_CORE, &none);
    if (!text) {
        (void)via_error_set(&cli->error, VIA_OUT_OF_MEMORY, "out of memory");
        return NULL;
    }
    n = isatty(STDIN_FILENO) ? read_unseen(name, text, SECRET_ROOM - 1)
                             : via_io_read(STDIN_FILENO, text, SECRET_ROOM - 1);
    if (n < 0)
        (void)via_error_set_errno(&cli->error, VIA_IO_ERROR, errno, "the secret cannot be read");
    if (n > 0 && text[n - 1] == '\n')
        n--;
    if (n > 0 && text[n - 1] == '\r')
        n--;
    if (n == 0)
        (void)via_error_set(&cli->error, VIA_VALUE_REQUIRED,
                            "stdin holds no secret; type it, or: via app env set … < FILE");
    else if (n > SECRET_BYTES || (n > 0 && memchr(text, '\0', (size_t)n)))
        (void)via_error_set(&cli->error, VIA_VALUE_INVALID,
                            "a secret is a text of at most %d bytes without NUL", SECRET_BYTES);
    if (cli_ok(cli)) {
        text[n] = '\0';
        return text;
    }
    via_guarded_free(text);
    return NULL;
}
