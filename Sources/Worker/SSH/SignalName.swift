/// The names of signals on Linux, signal(7). Other systems have the same numbers for the signals that end commands in practice.
enum SignalName {
    private static let names = [
        1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
        9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
        24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
    ]

    /// The name of the signal that a shell reports by this exit status, 128 + n; nil if the status means no signal.
    static func of(exitStatus: Int) -> String? {
        guard (129...192).contains(exitStatus) else { return nil }
        return names[exitStatus - 128] ?? "SIG\(exitStatus - 128)"
    }
}
