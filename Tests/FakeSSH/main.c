// A program in the place of `ssh`, for a worker with "transport": "ssh". What it does is its file's name: tests copy it.
// `with-listener PROGRAM ARGUMENT...` runs a program in which the kernel gives no further seccomp listener. `no-landlock`,
// `no-seccomp` and `no-notification` run one in which it has none of that, as in some containers.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "AttackProbe.h"

static int with_listener(char **arguments) {
    // A system call that nobody makes.
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_swapoff, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return 97;
    int listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    // It stays open in the program: without it the filter would have none.
    if (listener < 0 || fcntl(listener, F_SETFD, 0) != 0) return 98;
    execv(arguments[0], arguments);
    return 99;
}

// From now on a system call fails with `error` where this argument (its low half) has a bit of `bits`; always where that is 0.
static void refuse(long number, int argument, uint32_t bits, int error) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * argument),
        BPF_JUMP(bits == 0 ? BPF_JMP | BPF_JGE | BPF_K : BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) _exit(97);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) _exit(98);
}

static int without(const char *what, char **arguments) {
    if (strcmp(what, "no-landlock") == 0) refuse(SYS_landlock_create_ruleset, 0, 0, ENOSYS);
    else if (strcmp(what, "no-notification") == 0) refuse(SYS_seccomp, 1, SECCOMP_FILTER_FLAG_NEW_LISTENER, EINVAL);
    else {
        refuse(SYS_seccomp, 0, 0, ENOSYS);
        // PR_SET_SECCOMP, 22, has this bit, and nothing that the daemon does before it refuses to start.
        refuse(SYS_prctl, 0, 0x10, EINVAL);
    }
    execv(arguments[0], arguments);
    return 99;
}

// What no session needs is tried by Tests/Attack/Probe.
static int silent(void) {
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/nonexistent"};
    if (descriptor < 0 || connect(descriptor, (struct sockaddr *)&address, sizeof(address)) != 0) return 90;
    // The sandbox has no pause(2).
    for (;;) poll(NULL, 0, -1);
}

int main(int argc, char **argv) {
    const char *conduct = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    if (strcmp(conduct, "with-listener") == 0) return argc > 1 ? with_listener(argv + 1) : 96;
    if (strncmp(conduct, "no-", 3) == 0) return argc > 1 ? without(conduct, argv + 1) : 96;
    if (strcmp(conduct, "leaves") == 0) return 3;
    if (strcmp(conduct, "dies") == 0) abort();
    if (strcmp(conduct, "silent") == 0) return silent();
    if (strcmp(conduct, "attack") == 0) attack_as_ssh(argc, argv);
    return 95;
}
