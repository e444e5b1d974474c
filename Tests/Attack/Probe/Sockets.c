// Ways to reach somebody.
#define _GNU_SOURCE
#include "Table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static socklen_t address_of(const char *name, struct sockaddr_un *address) {
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    strncpy(address->sun_path, name, sizeof(address->sun_path) - 1);
    if (*name != '@') return sizeof(*address);
    address->sun_path[0] = 0;
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
}

int given_stream(void) { return socket(AF_UNIX, SOCK_STREAM, 0); }
static int given_datagram(void) { return socket(AF_UNIX, SOCK_DGRAM, 0); }
static int given_tcp(void) { return socket(AF_INET, SOCK_STREAM, 0); }
static int given_udp(void) { return socket(AF_INET, SOCK_DGRAM, 0); }
static int given_listener(void) {
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    sa_family_t family = AF_UNIX;
    if (bind(descriptor, (struct sockaddr *)&family, sizeof(family)) != 0 || listen(descriptor, 1) != 0) return -1;
    return descriptor;
}

int greet(int connection) {
    // HELLO of version 4, and the length and type of what answers it.
    const unsigned char hello[] = {0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 4};
    unsigned char answer[12];
    if (send(connection, hello, sizeof(hello), MSG_NOSIGNAL) != sizeof(hello)) return errno;
    struct pollfd waiting = {.fd = connection, .events = POLLIN};
    if (poll(&waiting, 1, 20000) != 1) return ETIME;
    if (recv(connection, answer, sizeof(answer), MSG_WAITALL) != sizeof(answer)) return EPROTO;
    return memcmp(answer + 4, hello + 4, 8) == 0 ? TO_THE_GATE : EPROTO;
}

int connect_to(int descriptor, const char *name) {
    struct sockaddr_un address;
    socklen_t length = address_of(name, &address);
    return connect(descriptor, (struct sockaddr *)&address, length);
}

static int try_connect(const struct row *row) {
    (void)row;
    int descriptor = held >= 0 ? held : given_stream();
    if (descriptor < 0 || connect_to(descriptor, path) != 0) return errno;
    return greet(descriptor);
}

static int try_connect_internet(const struct row *row) {
    (void)row;
    int descriptor = held >= 0 ? held : given_stream();
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)facts.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (descriptor < 0 || connect(descriptor, (struct sockaddr *)&address, sizeof(address)) != 0) return errno;
    return greet(descriptor);
}

// What is no socket gets one in its place, as everything that is connected.
static int try_connect_input(const struct row *row) {
    (void)row;
    if (connect_to(STDIN_FILENO, path) != 0) return errno;
    return greet(STDIN_FILENO);
}

static int try_connect_twice(const struct row *row) {
    (void)row;
    int descriptor = held >= 0 ? held : given_stream();
    if (descriptor < 0 || connect_to(descriptor, "/nonexistent") != 0 || connect_to(descriptor, path) != 0) return errno;
    return greet(descriptor);
}

static int try_send_to(const struct row *row) {
    (void)row;
    struct sockaddr_un address;
    socklen_t length = address_of(path, &address);
    int descriptor = held >= 0 ? held : given_stream();
    if (descriptor < 0) return errno;
    return seen(sendto(descriptor, "x", 1, MSG_NOSIGNAL, (struct sockaddr *)&address, length));
}

// What it has is the client's connection; in the place of `ssh` a socket.
static int connection(void) {
    if (form == ATTACK_WORKER) return 3;
    int descriptor = given_stream();
    return descriptor >= 0 && connect_to(descriptor, "/nonexistent") == 0 ? descriptor : -1;
}

static int try_message_to(const struct row *row) {
    (void)row;
    struct sockaddr_un address;
    struct iovec part = {.iov_base = "x", .iov_len = 1};
    struct msghdr message = {.msg_name = &address, .msg_iov = &part, .msg_iovlen = 1};
    message.msg_namelen = address_of(path, &address);
    return seen(sendmsg(connection(), &message, MSG_NOSIGNAL));
}

static int try_other_credentials(const struct row *row) {
    (void)row;
    // The worker is ended for asking who it is itself.
    struct ucred other = {.pid = 1, .uid = 12345, .gid = 12345};
    char space[CMSG_SPACE(sizeof(other))] = {0};
    struct iovec part = {.iov_base = "x", .iov_len = 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_CREDENTIALS;
    header->cmsg_len = CMSG_LEN(sizeof(other));
    memcpy(CMSG_DATA(header), &other, sizeof(other));
    return seen(sendmsg(connection(), &message, MSG_NOSIGNAL));
}

#define SOCKET(what, family, type, protocol) CALL("make a socket: " what, SYS_socket, KILLED, EACCES, family, type, protocol)
#define CONNECT(what, where) {.attempt = "connect to " what, .try = try_connect, .path = where, .given = given_stream, .worker = KILLED, .ssh = TO_THE_GATE}

const struct row socket_rows[] = {
    {.attempt = "make a socket: local, stream", .number = SYS_socket, .arguments = {AF_UNIX, SOCK_STREAM, 0}, .worker = KILLED, .ssh = WORKS, .note = "what it connects leads to the gate"},
    SOCKET("local, stream, with a flag", AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
    SOCKET("local, stream, of a protocol", AF_UNIX, SOCK_STREAM, 1),
    SOCKET("local, datagram", AF_UNIX, SOCK_DGRAM, 0),
    SOCKET("local, sequenced packets", AF_UNIX, SOCK_SEQPACKET, 0),
    SOCKET("local, raw", AF_UNIX, SOCK_RAW, 0),
    SOCKET("TCP", AF_INET, SOCK_STREAM, 0),
    SOCKET("UDP", AF_INET, SOCK_DGRAM, 0),
    SOCKET("raw IP", AF_INET, SOCK_RAW, IPPROTO_ICMP),
    SOCKET("ping", AF_INET, SOCK_DGRAM, IPPROTO_ICMP),
    SOCKET("multipath TCP", AF_INET, SOCK_STREAM, 262),
    SOCKET("SCTP", AF_INET, SOCK_SEQPACKET, 132),
    SOCKET("TCP, IPv6", AF_INET6, SOCK_STREAM, 0),
    SOCKET("UDP, IPv6", AF_INET6, SOCK_DGRAM, 0),
    SOCKET("netlink, routes", AF_NETLINK, SOCK_RAW, 0),
    SOCKET("netlink, audit", AF_NETLINK, SOCK_RAW, 9),
    SOCKET("packets", AF_PACKET, SOCK_RAW, 0),
    SOCKET("virtual machine's host", AF_VSOCK, SOCK_STREAM, 0),
    SOCKET("kernel's ciphers", AF_ALG, SOCK_SEQPACKET, 0),
    SOCKET("Bluetooth", AF_BLUETOOTH, SOCK_RAW, 1),
    SOCKET("keys of IPsec", AF_KEY, SOCK_RAW, 2),
    SOCKET("CAN", AF_CAN, SOCK_RAW, 1),
    SOCKET("TIPC", AF_TIPC, SOCK_SEQPACKET, 0),
    SOCKET("SMC", 43, SOCK_STREAM, 0),
    SOCKET("XDP", 44, SOCK_RAW, 0),
    SOCKET("a family in the upper half of the argument", 0x100000000 | AF_INET, SOCK_STREAM, 0),
    CALL("make a pair of sockets: stream", SYS_socketpair, KILLED, EACCES, AF_UNIX, SOCK_STREAM, 0, ZEROS),
    CALL("make a pair of sockets: datagram", SYS_socketpair, KILLED, EACCES, AF_UNIX, SOCK_DGRAM, 0, ZEROS),
    CONNECT("an agent's socket", "$dir/agent"),
    CONNECT("a message bus", "$dir/bus"),
    CONNECT("a container engine", "$dir/container"),
    CONNECT("a tmux server", "$dir/tmux"),
    CONNECT("a socket of sequenced packets", "$dir/seqpacket"),
    CONNECT("a socket of datagrams", "$dir/datagram"),
    CONNECT("an abstract socket", "@$abstract"),
    CONNECT("the daemon's own socket", "$mcp"),
    CONNECT("a ControlMaster", "$master"),
    CONNECT("a socket that is not there", "/nonexistent/socket"),
    {.attempt = "connect a datagram socket that it was given to a log's", .try = try_connect, .path = "$dir/datagram", .given = given_datagram, .worker = KILLED, .ssh = SKIP},
    {.attempt = "connect to a TCP port of this machine", .try = try_connect_internet, .given = given_tcp, .worker = KILLED, .ssh = TO_THE_GATE},
    {.attempt = "connect to a UDP port of this machine", .try = try_connect_internet, .given = given_udp, .worker = KILLED, .ssh = SKIP},
    {.attempt = "connect one socket twice", .try = try_connect_twice, .path = "$dir/agent", .given = given_stream, .worker = KILLED, .ssh = TO_THE_GATE},
    {.attempt = "connect its standard input", .try = try_connect_input, .path = "$dir/agent", .worker = KILLED, .ssh = TO_THE_GATE},
    CALL("connect a descriptor that it does not have", SYS_connect, KILLED, EBADF, 999, ZEROS, 16),
    {.attempt = "send to an agent's address: sendto", .try = try_send_to, .path = "$dir/agent", .given = given_stream, .worker = KILLED, .ssh = EOPNOTSUPP},
    {.attempt = "send to a log's address: sendto", .try = try_send_to, .path = "$dir/datagram", .given = given_datagram, .worker = KILLED, .ssh = EOPNOTSUPP},
    {.attempt = "send to a log's address over a connection that it has: sendmsg", .try = try_message_to, .path = "$dir/datagram", .worker = EISCONN, .ssh = EISCONN},
    CALL("send many messages: sendmmsg", SYS_sendmmsg, KILLED, KILLED, 0, ZEROS, 1),
    CALL("receive many messages: recvmmsg", SYS_recvmmsg, KILLED, KILLED, 0, ZEROS, 1),
    {.attempt = "say that it is another process and user (SCM_CREDENTIALS)", .try = try_other_credentials, .worker = EPERM, .ssh = EPERM},
    {.attempt = "bind a socket", .number = SYS_bind, .arguments = {HELD, ZEROS, 2}, .given = given_stream, .worker = KILLED, .ssh = KILLED},
    {.attempt = "listen", .number = SYS_listen, .arguments = {HELD, 1}, .given = given_listener, .worker = KILLED, .ssh = KILLED},
#ifdef SYS_accept
    {.attempt = "accept a connection", .number = SYS_accept, .arguments = {HELD}, .given = given_listener, .worker = KILLED, .ssh = KILLED},
#endif
    {.attempt = "accept a connection: accept4", .number = SYS_accept4, .arguments = {HELD}, .given = given_listener, .worker = KILLED, .ssh = KILLED},
    {.attempt = "attach a filter to a socket (SO_ATTACH_FILTER)", .number = SYS_setsockopt, .arguments = {HELD, SOL_SOCKET, 26, ZEROS, 16}, .given = given_stream, .worker = KILLED, .ssh = ENOPROTOOPT},
    {.attempt = "set an option of a socket (SO_PASSCRED)", .number = SYS_setsockopt, .arguments = {HELD, SOL_SOCKET, 16, ZEROS, 4}, .given = given_stream, .worker = KILLED, .ssh = ENOPROTOOPT},
    {.attempt = "get a pidfd of who is at the other end (SO_PEERPIDFD)", .number = SYS_getsockopt, .arguments = {HELD, SOL_SOCKET, 77, ZEROS, ZEROS}, .given = given_stream, .worker = KILLED, .ssh = EACCES},
    CALL("list interfaces (SIOCGIFCONF)", SYS_ioctl, KILLED, KILLED, 0, 0x8912, ZEROS),
    CALL("ask for an interface's number (SIOCGIFINDEX)", SYS_ioctl, KILLED, EACCES, 0, 0x8933, ZEROS),
};
const size_t socket_row_count = COUNT(socket_rows);
