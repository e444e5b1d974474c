internal import CSeccomp
internal import Glibc

/// Makes a seccomp filter from a table of system calls and loads it, seccomp_rule_add(3), seccomp_load(3).
public enum SeccompFilter {
    /// Loads the filter. From here on a system call outside the table ends the process with SIGSYS. This is the last step of the
    /// confinement, and the process must have one thread.
    public static func load(_ table: [SyscallRule]) throws(SandboxError) { _ = try load(table, listening: false) }

    /// Loads a filter some of whose calls are `.notified`.
    /// - Returns: its listener, which is the caller's to close.
    public static func loadWithListener(_ table: [SyscallRule]) throws(SandboxError) -> Int32 {
        try load(table, listening: true)
    }

    private static func load(_ table: [SyscallRule], listening: Bool) throws(SandboxError) -> Int32 {
        // There are two filters, and the kernel takes the stricter answer of both. A filter has one answer for all calls that no
        // rule matches, but some calls must fail with an errno if their arguments do not match. The filter for these is loaded
        // first, because the other one allows no further filter.
        _ = try load(table, otherwise: errnoAction(EACCES), listening: false) { rule in
            switch (rule.condition, rule.otherwise) {
            case (.oneOf(let alternatives), .refuse): [(allow, alternatives)]
            case (.always, _), (.refused, _), (.notified, _), (.oneOf, .kill), (.oneOf, .refuseOnly): [(allow, [[]])]
            }
        }
        return try load(table, otherwise: killProcess, listening: listening) { rule in
            switch (rule.condition, rule.otherwise) {
            case (.always, _), (.oneOf, .refuse): [(allow, [[]])]
            case (.notified, _): [(notify, [[]])]
            case (.refused(let errno), _): [(errnoAction(errno), [[]])]
            case (.oneOf(let alternatives), .kill): [(allow, alternatives)]
            case (.oneOf(let alternatives), .refuseOnly(let refused)):
                [(allow, alternatives), (errnoAction(EACCES), refused)]
            }
        }
    }

    /// An action, which is taken if all tests of one of the alternatives hold.
    private typealias Decision = (action: UInt32, alternatives: [[ArgumentTest]])

    private static func load(
        _ table: [SyscallRule], otherwise: UInt32, listening: Bool, _ decisions: (SyscallRule) -> [Decision]
    ) throws(SandboxError) -> Int32 {
        guard let context = seccomp_init(otherwise) else { throw .failed(call: "seccomp_init", errno: ENOMEM) }
        defer { seccomp_release(context) }
        // For a wrong architecture libseccomp would end only the thread.
        let set = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, killProcess)
        guard set == 0 else { throw .failed(call: "seccomp_attr_set", errno: -set) }
        for rule in table {
            for name in rule.names {
                for decision in decisions(rule) { try add(decision, name, to: context) }
            }
        }
        if otherwise != killProcess { try add((allow, [[]]), "seccomp", to: context) }
        errno = 0
        let loaded = seccomp_load(context)
        guard loaded == 0 else {
            // The library has one number for every failure of the kernel's, and leaves errno as the kernel set it.
            let code = errno == 0 ? -loaded : errno
            throw listening ? .noListener(errno: code) : .failed(call: "seccomp_load", errno: code)
        }
        guard listening else { return -1 }
        let listener = seccomp_notify_fd(context)
        guard listener >= 0 else { throw .noListener(errno: -listener) }
        return listener
    }

    private static func add(_ decision: Decision, _ name: String, to context: scmp_filter_ctx) throws(SandboxError) {
        let number = seccomp_syscall_resolve_name(name)
        // A call that this architecture does not have needs no rule.
        guard number >= 0 else { return }
        for alternative in decision.alternatives {
            let tests = alternative.map(compare)
            let result = seccomp_rule_add_array(context, decision.action, number, UInt32(tests.count), tests)
            // A kernel without the action.
            if decision.action == notify, result != 0 { throw .noListener(errno: -result) }
            guard result == 0 else { throw .failed(call: "seccomp_rule_add(\(name))", errno: -result) }
        }
    }

    private static func compare(_ test: ArgumentTest) -> scmp_arg_cmp {
        test.mask == .max
            ? scmp_arg_cmp(arg: test.index, op: SCMP_CMP_EQ, datum_a: test.value, datum_b: 0)
            : scmp_arg_cmp(arg: test.index, op: SCMP_CMP_MASKED_EQ, datum_a: test.mask, datum_b: test.value)
    }

    // SCMP_ACT_* are macros; the values are the kernel's, seccomp(2).
    private static let allow: UInt32 = 0x7FFF_0000
    private static let killProcess: UInt32 = 0x8000_0000
    private static let notify: UInt32 = 0x7FC0_0000
    private static func errnoAction(_ errno: Int32) -> UInt32 { 0x0005_0000 | UInt32(errno) & 0xFFFF }
}
