// A program in the place of `ssh`, for a worker with "transport": "ssh". What it does is its file's name: tests copy it.
// `with-listener PROGRAM ARGUMENT...` runs a program in which the kernel gives no further seccomp listener.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

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

static int connected(void) {
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/nonexistent"};
    if (descriptor < 0 || connect(descriptor, (struct sockaddr *)&address, sizeof(address)) != 0) _exit(90);
    return descriptor;
}

static unsigned char message[4096];
static size_t length;

static void begin(uint32_t type) { length = 4; message[length++] = type >> 24; message[length++] = type >> 16; message[length++] = type >> 8; message[length++] = type; }
static void number(uint32_t value) { message[length++] = value >> 24; message[length++] = value >> 16; message[length++] = value >> 8; message[length++] = value; }
static void text(const char *value) {
    number(strlen(value));
    memcpy(message + length, value, strlen(value));
    length += strlen(value);
}
static void end(int descriptor) {
    size_t body = length - 4;
    message[0] = body >> 24; message[1] = body >> 16; message[2] = body >> 8; message[3] = body;
    if (send(descriptor, message, length, MSG_NOSIGNAL) < 0) _exit(91);
}

static void hello(int descriptor) { begin(1); number(4); end(descriptor); }

static void new_session(int descriptor, const char *command) {
    begin(0x10000002); number(1); text(""); number(0); number(0); number(0); number(0); number(0xFFFFFFFF); text(""); text(command);
    end(descriptor);
}

static void pass(int descriptor, int passed) {
    char zero = 0, space[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {&zero, 1};
    struct msghdr given = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&given);
    header->cmsg_level = SOL_SOCKET; header->cmsg_type = SCM_RIGHTS; header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &passed, sizeof(int));
    if (sendmsg(descriptor, &given, MSG_NOSIGNAL) < 0) _exit(92);
}

static void pass_streams(int descriptor) { for (int stream = 0; stream < 3; stream++) pass(descriptor, stream); }

int main(int argc, char **argv) {
    const char *conduct = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    const char *ticket = argv[argc - 1];
    if (strcmp(conduct, "with-listener") == 0) return argc > 1 ? with_listener(argv + 1) : 96;
    if (strcmp(conduct, "leaves") == 0) return 3;
    if (strcmp(conduct, "dies") == 0) abort();
    int gate = connected();
    if (strcmp(conduct, "garbage") == 0) { if (write(gate, "GET / HTTP/1.1\r\n\r\n", 18) < 0) return 93; }
    else if (strcmp(conduct, "silent") == 0) {}
    else {
        hello(gate);
        if (strcmp(conduct, "guess") == 0) { new_session(gate, "0123456789abcdefghijklmno"); pass_streams(gate); }
        else if (strcmp(conduct, "command") == 0) { new_session(gate, "id"); pass_streams(gate); }
        else if (strcmp(conduct, "again") == 0) {
            new_session(gate, ticket); pass_streams(gate);
            int second = connected();
            hello(second); new_session(second, ticket); pass_streams(second);
        }
        else if (strcmp(conduct, "sockets") == 0) { new_session(gate, ticket); for (int i = 0; i < 3; i++) pass(gate, gate); }
        else if (strcmp(conduct, "file") == 0) { new_session(gate, ticket); int file = open("/dev/null", O_RDWR); for (int i = 0; i < 3; i++) pass(gate, file); }
        else if (strcmp(conduct, "forward") == 0) { begin(0x10000006); number(2); number(1); text("127.0.0.1"); number(1); text("127.0.0.1"); number(22); end(gate); }
        else if (strcmp(conduct, "terminate") == 0) { begin(0x10000005); number(2); end(gate); }
        else if (strcmp(conduct, "proxy") == 0) { begin(0x1000000f); number(2); end(gate); }
        else if (strcmp(conduct, "stdio") == 0) { begin(0x10000008); number(2); text(""); text("127.0.0.1"); number(22); end(gate); pass(gate, 0); pass(gate, 1); }
        else if (strcmp(conduct, "stop") == 0) { begin(0x10000009); number(2); end(gate); }
        else if (strcmp(conduct, "many") == 0) { for (int i = 0; i < 400; i++) connected(); }
        else return 95;
    }
    // The sandbox has no pause(2).
    for (;;) poll(NULL, 0, -1);
}
