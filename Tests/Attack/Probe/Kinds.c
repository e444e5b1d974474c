// What a worker can try to give to a host's session. It is made by a process that is not confined: a worker has few of these.
#define _GNU_SOURCE
#include "Table.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

static int a_file(void) { return open("/etc/passwd", O_RDONLY | O_CLOEXEC); }
static int a_new_file(void) { return open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600); }
static int a_directory(void) { return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC); }
static int a_path(void) { return open("/etc/passwd", O_PATH | O_CLOEXEC); }
static int a_device(void) { return open("/dev/null", O_RDWR | O_CLOEXEC); }
static int a_terminal(void) {
    int outer = posix_openpt(O_RDWR);
    return outer >= 0 && grantpt(outer) == 0 && unlockpt(outer) == 0 ? open(ptsname(outer), O_RDWR | O_NOCTTY) : -1;
}
static int a_terminals_owner(void) { return posix_openpt(O_RDWR | O_NOCTTY); }
static int a_pair(void) { int pair[2]; return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 ? pair[0] : -1; }
static int a_listener(void) {
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    sa_family_t family = AF_UNIX;
    return bind(descriptor, (struct sockaddr *)&family, sizeof(family)) == 0 && listen(descriptor, 1) == 0 ? descriptor : -1;
}
static int an_internet_socket(void) { return socket(AF_INET, SOCK_STREAM, 0); }
static int the_client(void) { return dup(3); }
static int the_supervisor(void) { return dup(4); }
static int the_gate(void) { return dup(5); }
static int an_event(void) { return eventfd(0, 0); }
static int a_timer(void) { return timerfd_create(CLOCK_MONOTONIC, 0); }
static int a_set(void) { return epoll_create1(0); }
static int a_memory(void) { return memfd_create("x", 0); }
static int a_watch(void) { return inotify_init1(0); }
static int a_process(void) { return (int)syscall(SYS_pidfd_open, getppid(), 0); }

static const struct {
    const char *name;
    int (*make)(void);
} kinds[] = {
    {"a file", a_file}, {"a file without a name", a_new_file}, {"a directory", a_directory}, {"a path (O_PATH)", a_path},
    {"/dev/null", a_device}, {"a terminal", a_terminal}, {"a terminal's other side", a_terminals_owner},
    {"one of a pair of sockets", a_pair}, {"a socket that listens", a_listener}, {"a TCP socket", an_internet_socket},
    {"the client's connection", the_client}, {"its channel to the supervisor", the_supervisor}, {"its channel to the gate", the_gate},
    {"an event", an_event}, {"a timer", a_timer}, {"an epoll set", a_set}, {"a file in memory", a_memory},
    {"a watch of files", a_watch}, {"a name of the supervisor", a_process},
};

size_t attack_kind_count(void) { return COUNT(kinds); }
const char *attack_kind_name(size_t number) { return kinds[number].name; }
int attack_kind_make(size_t number) { return number < COUNT(kinds) ? kinds[number].make() : -1; }
