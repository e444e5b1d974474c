// The rows of the table, and what they are made of.
#ifndef ATTACK_TABLE_H
#define ATTACK_TABLE_H

#include "AttackProbe.h"

// What can be expected and seen: an errno, or one of these.
enum {
    WORKS = 0,
    // Exit statuses.
    NO_LOADER = 127,
    TO_THE_GATE = 201,
    NOT_HERE = 202,
    NOT_CONFINED = 250,
    // The ends of processes.
    KILLED = 300,
    NO_CORE = 301,
    CORE = 302,
    BY_SIGNAL = 400,
    // The row is not for this form.
    SKIP = -1,
};

// Arguments that are known when the row is tried.
enum { SUPERVISOR = 0x7A110001, GATE, OTHER, SELF, HELD, PATH, ZEROS, POLICY };

struct row {
    const char *attempt;
    // What is tried: a function, which returns what came of it, or a system call.
    int (*try)(const struct row *row);
    long number;
    long arguments[6];
    // `$dir`, `$mcp`, `$master`, `$abstract`, `$config`, `$supervisor`, `$gate` and `$other` stand for the facts.
    const char *path;
    // Makes what the attempt is given, which a real worker could not make, before the confinement.
    int (*given)(void);
    int worker, ssh;
    // Why it may work.
    const char *note;
};

struct facts {
    char dir[108], abstract[108], mcp[108], master[108], config[108];
    int port, supervisor, gate, other, landlock;
};

extern struct facts facts;
extern enum attack_form form;
// The path of the row, and what it was given.
extern char path[512];
extern int held;

extern const struct row socket_rows[], file_rows[], process_rows[], kernel_rows[], memory_rows[];
extern const size_t socket_row_count, file_row_count, process_row_count, kernel_row_count, memory_row_count;

#define CALL(what, call, w, s, ...) {.attempt = what, .number = call, .worker = w, .ssh = s, .arguments = {__VA_ARGS__}}
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

// What a system call's result comes to.
int seen(long result);
int given_stream(void);
int given_file(void);
// The gate's greeting over a connection: TO_THE_GATE if it is the gate's.
int greet(int connection);
// A plain local stream socket, connected to wherever this leads; -1.
int connect_to(int descriptor, const char *address);

#endif
