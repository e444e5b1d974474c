// Attempts on the gate by what runs in the place of `ssh`: each is one message or descriptor that no session needs.
#define _GNU_SOURCE
#include "Table.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

// The numbers of PROTOCOL.mux.
enum {
    HELLO = 1, NEW_SESSION = 0x10000002, ALIVE_CHECK = 0x10000004, TERMINATE = 0x10000005, OPEN_FWD = 0x10000006,
    CLOSE_FWD = 0x10000007, NEW_STDIO_FWD = 0x10000008, STOP_LISTENING = 0x10000009, PROXY = 0x1000000f,
    EXT_INFO = 0x20000001, OK = 0x80000001, SESSION_OPENED = 0x80000006, EXIT_MESSAGE = 0x80000004, FAILURE = 0x80000003,
};

static const char *program;

static int connected(void) {
    int descriptor = given_stream();
    if (descriptor < 0 || connect_to(descriptor, "/nonexistent") != 0) _exit(90);
    return descriptor;
}

static int greeted(void) {
    int descriptor = connected();
    if (greet(descriptor) != TO_THE_GATE) _exit(91);
    return descriptor;
}

// MARK: Messages

static unsigned char message[300000];
static size_t length;

static void number(uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) message[length++] = (unsigned char)(value >> shift);
}
static void begin(uint32_t type) { length = 4; number(type); }
static void bytes(const void *value, size_t count) {
    number((uint32_t)count);
    memcpy(message + length, value, count);
    length += count;
}
static void text(const char *value) { bytes(value, strlen(value)); }
static void put(int gate, const void *sent, size_t count) {
    const char *rest = sent;
    while (count > 0) {
        // The gate closes the connection, and its worker ends, as soon as it has read what is wrong.
        ssize_t written = send(gate, rest, count, MSG_NOSIGNAL);
        if (written <= 0) return;
        rest += written;
        count -= (size_t)written;
    }
}
static void end(int gate) {
    size_t body = length - 4, whole = length;
    length = 0;
    number((uint32_t)body);
    put(gate, message, whole);
}

static void pass(int gate, const int *passed, int count, int many) {
    char zeros[8] = {0}, space[CMSG_SPACE(253 * sizeof(int))] = {0};
    struct iovec part = {zeros, (size_t)many};
    struct msghdr given = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        given.msg_control = space;
        given.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&given);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
        memcpy(CMSG_DATA(header), passed, (size_t)count * sizeof(int));
    }
    (void)sendmsg(gate, &given, MSG_NOSIGNAL);
}
static void pass_three(int gate, int in, int out, int err) {
    pass(gate, &in, 1, 1);
    pass(gate, &out, 1, 1);
    pass(gate, &err, 1, 1);
}

// MARK: The session

enum field { NONE, RESERVED, TERMINAL, X11, AGENT, SUBSYSTEM, ESCAPE, TERM, COMMAND, ENVIRONMENT, CUT };

struct change {
    enum field field;
    uint32_t value;
    const char *text;
    size_t count;
};

// Asks for the session of the ticket, with one field changed.
static void ask(int gate, const char *ticket, struct change change) {
    begin(NEW_SESSION);
    number(1);
    if (change.field == RESERVED) bytes(change.text, change.count); else text("");
    number(change.field == TERMINAL ? change.value : 0);
    number(change.field == X11 ? change.value : 0);
    number(change.field == AGENT ? change.value : 0);
    number(change.field == SUBSYSTEM ? change.value : 0);
    number(change.field == ESCAPE ? change.value : 0xFFFFFFFF);
    if (change.field == TERM) bytes(change.text, change.count); else text("");
    if (change.field == COMMAND) bytes(change.text, change.count); else text(ticket);
    if (change.field == ENVIRONMENT) text(change.text);
    if (change.field == CUT) length -= change.value;
    end(gate);
}

static void ask_three(int gate, const char *ticket, struct change change) {
    ask(gate, ticket, change);
    pass_three(gate, 0, 1, 2);
}

// What answers. The worker ends with this process where the gate has seen what no session needs.
static int answer(int gate) {
    unsigned char head[8];
    struct pollfd waiting = {.fd = gate, .events = POLLIN};
    if (poll(&waiting, 1, 30000) != 1) return 63;
    if (recv(gate, head, sizeof(head), MSG_WAITALL) != sizeof(head)) return 62;
    uint32_t type = (uint32_t)head[4] << 24 | (uint32_t)head[5] << 16 | (uint32_t)head[6] << 8 | head[7];
    return type == SESSION_OPENED ? 60 : type == FAILURE ? 61 : 64;
}

// MARK: Descriptors

static int a_connection(void) { return greeted(); }
static int an_unconnected_socket(void) { return given_stream(); }
static int a_program(void) { return open(program, O_RDONLY | O_CLOEXEC); }
static int a_library(void) { return open("/etc/passwd", O_RDONLY | O_CLOEXEC); }
static int no_device(void) { return open("/dev/null", O_RDWR | O_CLOEXEC); }
static int an_event(void) { return eventfd(0, EFD_CLOEXEC); }
static int a_timer(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC); }
static int a_set(void) { return epoll_create1(EPOLL_CLOEXEC); }
static int a_process(void) { return (int)syscall(SYS_pidfd_open, getpid(), 0); }

// MARK: The attempts

static const char *const for_mux = "its ssh asked its gate for what no session needs";
static const char *const for_ticket = "its ssh showed a ticket that was not given for this, or was used before";
static const char *const for_descriptor = "it gave a session a descriptor that is no pipe";
static const char *const for_number = "it connected more than its sessions can";

struct attempt {
    const char *name;
    const char *const *reason;
    // One of these.
    void (*make)(int gate, const char *ticket);
    struct change change;
    int (*descriptor)(void);
    uint32_t type;
    // Sent as it is: instead of the greeting, or after it.
    const char *first, *raw;
    size_t count;
};

static void twice_greeted(int gate, const char *ticket) { (void)ticket; begin(HELLO); number(4); end(gate); }
static void without_greeting(int gate, const char *ticket) { (void)gate; int other = connected(); ask_three(other, ticket, (struct change){0}); _exit(answer(other)); }
static void alive_without_greeting(int gate, const char *ticket) { (void)gate; (void)ticket; int other = connected(); begin(ALIVE_CHECK); number(1); end(other); _exit(answer(other)); }
static void greeting(const char *extra, size_t count) {
    int other = connected();
    begin(HELLO);
    number(4);
    memcpy(message + length, extra, count);
    length += count;
    end(other);
    // One that is greeted all the same goes on to ask for what it may not.
    if (answer(other) == 64) _exit(65);
    _exit(66);
}
static void greeting_cut(int gate, const char *ticket) { (void)gate; (void)ticket; int other = connected(); begin(HELLO); end(other); _exit(answer(other)); }
static void greeting_half_extension(int gate, const char *ticket) { (void)gate; (void)ticket; greeting("\0\0\0\1x", 5); }
static void greeting_long_extension(int gate, const char *ticket) { (void)gate; (void)ticket; greeting("\377\377\377\377x", 5); }
static void greeting_zero_extension(int gate, const char *ticket) { (void)gate; (void)ticket; greeting("\0\0\0\1\0\0\0\0\0", 9); }
static void greeting_descriptor(int gate, const char *ticket) {
    (void)gate; (void)ticket;
    int other = connected(), zero = 0;
    pass(other, &zero, 1, 1);
    _exit(answer(other));
}
static void alive_cut(int gate, const char *ticket) { (void)ticket; begin(ALIVE_CHECK); end(gate); }
static void alive_more(int gate, const char *ticket) { (void)ticket; begin(ALIVE_CHECK); number(1); number(1); end(gate); }
static void alive_often(int gate, const char *ticket) {
    (void)ticket;
    for (int count = 0; count < 20; count++) { begin(ALIVE_CHECK); number(1); end(gate); }
    for (int count = 0; count < 8; count++) { char reply[20]; if (recv(gate, reply, 16, MSG_WAITALL) != 16) _exit(67); }
}
static void long_command(int gate, const char *ticket) {
    (void)ticket;
    static char command[131072];
    memset(command, 'x', sizeof(command));
    ask_three(gate, ticket, (struct change){COMMAND, 0, command, sizeof(command)});
}
static void ticket_and(int gate, const char *ticket, const char *before, const char *after) {
    char command[256];
    snprintf(command, sizeof(command), "%s%s%s", before, ticket, after);
    ask_three(gate, ticket, (struct change){COMMAND, 0, command, strlen(command)});
}
static void ticket_longer(int gate, const char *ticket) { ticket_and(gate, ticket, "", "x"); }
static void ticket_space(int gate, const char *ticket) { ticket_and(gate, ticket, "", " "); }
static void ticket_command(int gate, const char *ticket) { ticket_and(gate, ticket, "", "; id"); }
static void ticket_before(int gate, const char *ticket) { ticket_and(gate, ticket, "id; ", ""); }
static void ticket_shorter(int gate, const char *ticket) { ask_three(gate, ticket, (struct change){COMMAND, 0, ticket, strlen(ticket) - 1}); }
static void ticket_upper(int gate, const char *ticket) {
    char command[256] = {0};
    for (size_t index = 0; ticket[index] && index < 255; index++)
        command[index] = ticket[index] >= 'a' ? (char)(ticket[index] - 32) : ticket[index];
    ask_three(gate, ticket, (struct change){COMMAND, 0, command, strlen(command)});
}
static void ticket_again(int gate, const char *ticket) {
    ask_three(gate, ticket, (struct change){0});
    if (answer(gate) != 60) _exit(68);
    int other = greeted();
    ask_three(other, ticket, (struct change){0});
    _exit(answer(other));
}
static void ticket_at_once(int gate, const char *ticket) {
    int other = greeted();
    ask(gate, ticket, (struct change){0});
    ask(other, ticket, (struct change){0});
    pass_three(gate, 0, 1, 2);
    pass_three(other, 0, 1, 2);
    // Whichever was first may be opened.
    if (answer(gate) == 60) _exit(answer(other));
}
static void session_and_more(int gate, const char *ticket) {
    ask_three(gate, ticket, (struct change){0});
    if (answer(gate) != 60) _exit(68);
    put(gate, "x", 1);
}
static void session_and_session(int gate, const char *ticket) { ask(gate, ticket, (struct change){0}); ask_three(gate, ticket, (struct change){0}); }
static void session_more(int gate, const char *ticket) {
    ask_three(gate, ticket, (struct change){0});
    if (answer(gate) != 60) _exit(68);
    begin(TERMINATE); number(2); end(gate);
}
static void no_descriptor(int gate, const char *ticket) { ask(gate, ticket, (struct change){0}); for (int n = 0; n < 3; n++) put(gate, "\0", 1); }
static void two_at_once(int gate, const char *ticket) { int all[] = {0, 1}; ask(gate, ticket, (struct change){0}); pass(gate, all, 2, 1); }
static void three_at_once(int gate, const char *ticket) { int all[] = {0, 1, 2}; ask(gate, ticket, (struct change){0}); pass(gate, all, 3, 1); }
static void most_at_once(int gate, const char *ticket) { int all[253] = {0}; ask(gate, ticket, (struct change){0}); pass(gate, all, 253, 1); }
static void other_byte(int gate, const char *ticket) {
    ask(gate, ticket, (struct change){0});
    char one = 1, space[CMSG_SPACE(sizeof(int))] = {0};
    int zero = 0;
    struct iovec part = {&one, 1};
    struct msghdr given = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&given);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &zero, sizeof(int));
    (void)sendmsg(gate, &given, MSG_NOSIGNAL);
}
static void before_session(int gate, const char *ticket) { int zero = 0; pass(gate, &zero, 1, 1); ask_three(gate, ticket, (struct change){0}); }
static void many_connections(int gate, const char *ticket) { (void)gate; (void)ticket; for (int count = 0; count < 400; count++) connected(); }
static void garbage(int gate, const char *ticket) { (void)gate; (void)ticket; int other = connected(); put(other, "GET / HTTP/1.1\r\n\r\n", 18); _exit(answer(other)); }

static void forward(int gate, uint32_t type, uint32_t kind, const char *from, uint32_t fromPort, const char *to, uint32_t toPort) {
    begin(type); number(2); number(kind); text(from); number(fromPort); text(to); number(toPort); end(gate);
}
static void forward_local(int gate, const char *ticket) { (void)ticket; forward(gate, OPEN_FWD, 1, "127.0.0.1", 4711, "127.0.0.1", 22); }
static void forward_remote(int gate, const char *ticket) { (void)ticket; forward(gate, OPEN_FWD, 2, "", 4711, "127.0.0.1", 22); }
static void forward_dynamic(int gate, const char *ticket) { (void)ticket; forward(gate, OPEN_FWD, 3, "127.0.0.1", 4711, "", 0); }
static void forward_agent(int gate, const char *ticket) { (void)ticket; forward(gate, OPEN_FWD, 2, "/tmp/there", 0xFFFFFFFE, "/tmp/agent", 0xFFFFFFFE); }
static void forward_close(int gate, const char *ticket) { (void)ticket; forward(gate, CLOSE_FWD, 1, "127.0.0.1", 4711, "127.0.0.1", 22); }
static void standard_forward(int gate, const char *ticket) {
    (void)ticket;
    begin(NEW_STDIO_FWD); number(2); text(""); text("127.0.0.1"); number(22); end(gate);
    int zero = 0, one = 1;
    pass(gate, &zero, 1, 1);
    pass(gate, &one, 1, 1);
}

#define FIELD(what, which, number, ...) {.name = "NEW_SESSION, " what, .reason = &for_mux, .change = {which, number, __VA_ARGS__}}
#define TICKET(what, function) {.name = "a ticket " what, .reason = &for_ticket, .make = function}
#define MAKE(what, function) {.name = what, .reason = &for_mux, .make = function}
#define TYPE(what, number) {.name = what, .reason = &for_mux, .type = number}
#define RAW(what, sent) {.name = what, .reason = &for_mux, .raw = sent, .count = sizeof(sent) - 1}
#define FIRST(what, sent) {.name = what, .reason = &for_mux, .first = sent, .count = sizeof(sent) - 1}
#define GIVE(what, function) {.name = "a session's output is " what, .reason = &for_descriptor, .descriptor = function}

static const struct attempt attempts[] = {
    MAKE("HELLO: another protocol", garbage),
    MAKE("HELLO: cut off", greeting_cut),
    MAKE("HELLO: a name without a value", greeting_half_extension),
    MAKE("HELLO: a name longer than the message", greeting_long_extension),
    MAKE("HELLO: a name with a zero byte", greeting_zero_extension),
    MAKE("HELLO: with a descriptor", greeting_descriptor),
    MAKE("HELLO: a second one", twice_greeted),
    FIRST("HELLO: the length 0", "\0\0\0\0"),
    FIRST("HELLO: the length 3", "\0\0\0\3\0\0\0"),
    FIRST("HELLO: the greatest length", "\377\377\377\377\0\0\0\1"),
    FIRST("HELLO: a length above the limit", "\0\4\0\1\0\0\0\1"),
    MAKE("NEW_SESSION before HELLO", without_greeting),
    MAKE("ALIVE_CHECK before HELLO", alive_without_greeting),
    MAKE("ALIVE_CHECK: cut off", alive_cut),
    MAKE("ALIVE_CHECK: more than it has", alive_more),
    MAKE("ALIVE_CHECK: again and again", alive_often),
    FIELD("a terminal", TERMINAL, 1),
    FIELD("a terminal, 2", TERMINAL, 2),
    FIELD("X11", X11, 1),
    FIELD("X11, all bits", X11, 0xFFFFFFFF),
    FIELD("an agent", AGENT, 1),
    FIELD("an agent, another bit", AGENT, 0x100),
    FIELD("a subsystem, 2", SUBSYSTEM, 2),
    FIELD("an escape character", ESCAPE, '~'),
    FIELD("an escape character, 0", ESCAPE, 0),
    FIELD("a variable", ENVIRONMENT, 0, "LD_PRELOAD=/tmp/x.so"),
    FIELD("an empty variable", ENVIRONMENT, 0, ""),
    FIELD("reserved text with a zero byte", RESERVED, 0, "\0", 1),
    FIELD("a terminal's name with a zero byte", TERM, 0, "xterm\0id", 8),
    FIELD("an empty command, which is a login shell", COMMAND, 0, "", 0),
    FIELD("a command with a zero byte", COMMAND, 0, "i\0d", 3),
    FIELD("a command that is not UTF-8", COMMAND, 0, "\300\257", 2),
    MAKE("NEW_SESSION, a command of 128 KiB", long_command),
    FIELD("cut off in the command", CUT, 4),
    FIELD("cut off before the command", CUT, 33),
    MAKE("NEW_SESSION: a second one", session_and_session),
    MAKE("NEW_SESSION: a byte after it", session_and_more),
    MAKE("NEW_SESSION: TERMINATE after it", session_more),
    RAW("NEW_SESSION: the greatest length", "\377\377\377\377\20\0\0\2"),
    TYPE("TERMINATE: end the ControlMaster", TERMINATE),
    MAKE("OPEN_FWD: a local forward", forward_local),
    MAKE("OPEN_FWD: a remote forward", forward_remote),
    MAKE("OPEN_FWD: a dynamic forward", forward_dynamic),
    MAKE("OPEN_FWD: a remote forward to a local socket", forward_agent),
    MAKE("CLOSE_FWD: somebody's forward", forward_close),
    MAKE("NEW_STDIO_FWD: a connection of the host's", standard_forward),
    TYPE("STOP_LISTENING: close the ControlMaster's socket", STOP_LISTENING),
    TYPE("PROXY: speak SSH with the host", PROXY),
    TYPE("EXT_INFO: ask about the connection", EXT_INFO),
    TYPE("a request that nobody knows", 0x1000000A),
    TYPE("a request of the number 0", 0),
    TYPE("a request of the greatest number", 0xFFFFFFFF),
    TYPE("a master's answer: OK", OK),
    TYPE("a master's answer: SESSION_OPENED", SESSION_OPENED),
    TYPE("a master's answer: EXIT_MESSAGE", EXIT_MESSAGE),
    {.name = "a ticket that is guessed", .reason = &for_ticket, .change = {COMMAND, 0, "0123456789abcdefghijklmno", 25}},
    {.name = "a command in its place", .reason = &for_ticket, .change = {COMMAND, 0, "id", 2}},
    TICKET("without its end", ticket_shorter),
    TICKET("with a letter more", ticket_longer),
    TICKET("with a space", ticket_space),
    TICKET("with a command behind it", ticket_command),
    TICKET("with a command before it", ticket_before),
    TICKET("in capitals", ticket_upper),
    TICKET("once more, while its session is open", ticket_again),
    TICKET("twice at once", ticket_at_once),
    {.name = "a ticket of a command for a subsystem", .reason = &for_ticket, .change = {SUBSYSTEM, 1}},
    GIVE("a second connection to the gate", a_connection),
    GIVE("a socket", an_unconnected_socket),
    GIVE("a program", a_program),
    GIVE("a file", a_library),
    GIVE("/dev/null", no_device),
    GIVE("an event", an_event),
    GIVE("a timer", a_timer),
    GIVE("an epoll set", a_set),
    GIVE("a process", a_process),
    MAKE("a session's bytes without descriptors", no_descriptor),
    MAKE("two descriptors in one message", two_at_once),
    MAKE("three descriptors in one message", three_at_once),
    MAKE("253 descriptors in one message", most_at_once),
    MAKE("a descriptor with another byte", other_byte),
    MAKE("a descriptor before the session", before_session),
    {.name = "400 connections", .reason = &for_number, .make = many_connections},
};

size_t attack_gate_count(void) { return COUNT(attempts); }
const char *attack_gate_name(size_t which) { return attempts[which].name; }
const char *attack_gate_reason(size_t which) { return *attempts[which].reason; }

_Noreturn static void attempt(size_t which, const char *ticket) {
    if (which >= COUNT(attempts)) _exit(92);
    const struct attempt *attempt = &attempts[which];
    int gate = attempt->first ? connected() : greeted();
    if (attempt->make) attempt->make(gate, ticket);
    else if (attempt->first) put(gate, attempt->first, attempt->count);
    else if (attempt->raw) put(gate, attempt->raw, attempt->count);
    else if (attempt->descriptor) {
        int given = attempt->descriptor();
        if (given < 0) _exit(93);
        ask(gate, ticket, (struct change){0});
        pass_three(gate, 0, given, 2);
    } else if (attempt->change.field != NONE) ask_three(gate, ticket, attempt->change);
    else { begin(attempt->type); number(2); end(gate); }
    _exit(answer(gate));
}

// MARK: In the place of `ssh`

_Noreturn static void wait_for_ever(void) {
    for (;;) poll(NULL, 0, -1);
}

// Its child shows the ticket when the worker has killed it because the call is over.
_Noreturn static void show_late(const char *ticket) {
    int life[2];
    if (pipe2(life, 0) != 0) _exit(94);
    pid_t child = fork();
    if (child < 0) _exit(94);
    if (child > 0) wait_for_ever();
    close(life[1]);
    int gate = greeted();
    int streams[3][2];
    for (int stream = 0; stream < 3; stream++) if (pipe2(streams[stream], 0) != 0) _exit(94);
    prctl(PR_SET_NAME, "late: waits");
    struct pollfd waiting = {.fd = life[0], .events = POLLIN};
    poll(&waiting, 1, -1);
    ask(gate, ticket, (struct change){0});
    pass_three(gate, streams[0][0], streams[1][1], streams[2][1]);
    int what = answer(gate);
    prctl(PR_SET_NAME, what == 61 ? "late: refused" : what == 60 ? "late: opened" : "late: closed");
    wait_for_ever();
}

// MARK: The whole table

static char facts_text[8192];

// What the host says is the worker's as well, so that the call goes on as any other.
static void relay(int from, const char *until) {
    size_t total = 0;
    for (;;) {
        if (until && strstr(facts_text, until)) return;
        if (!until) total = 0;
        ssize_t count = read(from, facts_text + total, sizeof(facts_text) - 1 - total);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return;
        if (write(STDOUT_FILENO, facts_text + total, (size_t)count) != count) _exit(95);
        total += (size_t)count;
        facts_text[total] = 0;
    }
}

_Noreturn static void run_table(const char *ticket) {
    int gate = greeted(), in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) _exit(94);
    ask(gate, ticket, (struct change){0});
    pass_three(gate, in[0], out[1], STDERR_FILENO);
    close(in[0]);
    close(out[1]);
    if (answer(gate) != 60) _exit(68);
    relay(out[0], "\nend\n");
    attack_run(ATTACK_SSH, facts_text, NULL, -1, in[1]);
    close(in[1]);
    relay(out[0], NULL);
    // Until its worker ends it.
    wait_for_ever();
}

_Noreturn void attack_as_ssh(int count, char **arguments) {
    if (count < 3) _exit(96);
    signal(SIGPIPE, SIG_IGN);
    program = arguments[0];
    const char *ticket = arguments[count - 1], *address = strchr(arguments[count - 2], '@');
    if (!address) _exit(96);
    address++;
    if (strcmp(address, "table") == 0) run_table(ticket);
    if (strcmp(address, "silent") == 0) wait_for_ever();
    if (strcmp(address, "late") == 0) show_late(ticket);
    if (*address == 'x') {
        int gate = greeted();
        ask_three(gate, address + 1, (struct change){0});
        _exit(answer(gate));
    }
    attempt((size_t)atoi(address + 1), ticket);
}
