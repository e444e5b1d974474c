// Runs the table.
#define _GNU_SOURCE
#include "Table.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct facts facts;
enum attack_form form;
char path[512];
int held = -1;
static int policy = -1;
static char zeros[4096];

int seen(long result) { return result < 0 ? errno : WORKS; }

static const struct {
    const char *name;
    char *text;
    int *number;
} names[] = {
    {"dir", facts.dir, NULL}, {"abstract", facts.abstract, NULL}, {"mcp", facts.mcp, NULL}, {"master", facts.master, NULL},
    {"config", facts.config, NULL}, {"port", NULL, &facts.port}, {"supervisor", NULL, &facts.supervisor},
    {"gate", NULL, &facts.gate}, {"other", NULL, &facts.other}, {"landlock", NULL, &facts.landlock},
};

static void read_facts(const char *text) {
    while (*text) {
        size_t length = strcspn(text, "\n");
        for (size_t index = 0; index < COUNT(names); index++) {
            size_t name = strlen(names[index].name);
            if (length <= name || strncmp(text, names[index].name, name) != 0 || text[name] != ' ') continue;
            if (names[index].number) *names[index].number = atoi(text + name + 1);
            else snprintf(names[index].text, sizeof(facts.dir), "%.*s", (int)(length - name - 1), text + name + 1);
        }
        text += length + (text[length] == '\n');
    }
}

static void expand(const char *pattern) {
    size_t length = 0;
    while (*pattern && length + 128 < sizeof(path)) {
        const char *rest = NULL;
        if (*pattern == '$') {
            for (size_t index = 0; index < COUNT(names); index++) {
                size_t name = strlen(names[index].name);
                if (strncmp(pattern + 1, names[index].name, name) != 0) continue;
                length += (size_t)(names[index].number ? sprintf(path + length, "%d", *names[index].number)
                                                       : sprintf(path + length, "%s", names[index].text));
                rest = pattern + 1 + name;
                break;
            }
        }
        if (rest) pattern = rest;
        else path[length++] = *pattern++;
    }
    path[length] = 0;
}

static long value(long argument) {
    switch (argument) {
    case SUPERVISOR: return facts.supervisor;
    case GATE: return facts.gate;
    case OTHER: return facts.other;
    case SELF: return getpid();
    case HELD: return held;
    case PATH: return (long)path;
    case ZEROS: return (long)zeros;
    case POLICY: return policy;
    default: return argument;
    }
}

static int try(const struct row *row) {
    if (row->try) return row->try(row);
    const long *a = row->arguments;
    return seen(syscall(row->number, value(a[0]), value(a[1]), value(a[2]), value(a[3]), value(a[4]), value(a[5])));
}

// How the process of an attempt ended.
static int end_of(pid_t process) {
    struct pollfd waiting = {.fd = (int)syscall(SYS_pidfd_open, process, 0), .events = POLLIN};
    if (poll(&waiting, 1, 30000) != 1) kill(process, SIGKILL);
    if (waiting.fd >= 0) close(waiting.fd);
    int status = 0;
    while (waitpid(process, &status, 0) < 0 && errno == EINTR) {}
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    if (WCOREDUMP(status)) return CORE;
    if (WTERMSIG(status) == SIGSYS) return KILLED;
    return WTERMSIG(status) == SIGSEGV ? NO_CORE : BY_SIGNAL + WTERMSIG(status);
}

static int run(const struct row *row, int (*confine)(void)) {
    expand(row->path ? row->path : "");
    pid_t process = fork();
    if (process > 0) return end_of(process);
    if (process < 0) return errno;
    if (confine) {
        // As a worker, it leads a group, and ends with who started it.
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (row->given) {
            held = row->given();
            if (held < 0) _exit(NOT_HERE);
        }
        if (confine() != 0) _exit(NOT_CONFINED);
    }
    _exit(try(row));
}

static const char *word(int code, const char *note) {
    static char text[256];
    switch (code) {
    case WORKS: snprintf(text, sizeof(text), "works%s%s", note ? ": " : "", note ? note : ""); break;
    case NO_LOADER: return "the loader cannot open it";
    case TO_THE_GATE: return "leads to the gate";
    case NOT_HERE: return "cannot be made here";
    case NOT_CONFINED: return "the confinement could not be entered";
    case KILLED: return "killed";
    case NO_CORE: return "no core file";
    case CORE: return "a core file";
    default:
        if (code >= BY_SIGNAL) snprintf(text, sizeof(text), "ended by SIG%s", sigabbrev_np(code - BY_SIGNAL));
        else if (strerrorname_np(code)) snprintf(text, sizeof(text), "refused (%s)", strerrorname_np(code));
        else snprintf(text, sizeof(text), "ended with %d", code);
    }
    return text;
}

static void write_all(int descriptor, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t written = write(descriptor, bytes, count);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) _exit(98);
        bytes += written;
        count -= (size_t)written;
    }
}

static void run_rows(const struct row *rows, size_t count, int (*confine)(void), int report) {
    for (size_t index = 0; index < count; index++) {
        const struct row *row = &rows[index];
        int expected = form == ATTACK_WORKER ? row->worker : row->ssh;
        if (expected == SKIP) continue;
        int code = run(row, confine);
        char line[1024], wanted[256];
        snprintf(wanted, sizeof(wanted), "%s", word(expected, row->note));
        const char *verdict = code == NOT_HERE ? "not run" : code == expected ? "held" : "broken";
        int length = snprintf(line, sizeof(line), "%s\t%s\t%s\t%s\n", row->attempt, wanted, word(code, NULL), verdict);
        write_all(report, line, (size_t)length);
    }
}

void attack_run(enum attack_form which, const char *text, int (*confine)(void), int sealed, int report) {
    form = which;
    policy = sealed;
    read_facts(text);
    run_rows(socket_rows, socket_row_count, confine, report);
    run_rows(file_rows, file_row_count, confine, report);
    run_rows(process_rows, process_row_count, confine, report);
    run_rows(kernel_rows, kernel_row_count, confine, report);
    run_rows(memory_rows, memory_row_count, confine, report);
    write_all(report, "end\n", 4);
}
