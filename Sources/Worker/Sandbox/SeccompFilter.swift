internal import CSeccomp
internal import Glibc

/// Turns the syscall table into a seccomp filter and loads it, seccomp_rule_add(3), seccomp_load(3).
public enum SeccompFilter {
    /// From here on a syscall outside the table ends the process with SIGSYS. Call last, with one thread.
    public static func load() throws(SandboxError) {
        let context = try build(SyscallTable.rules)
        defer { seccomp_release(context) }
        let loaded = seccomp_load(context)
        guard loaded == 0 else { throw .failed(call: "seccomp_load", errno: -loaded) }
    }

    private static func build(_ rules: [SyscallRule]) throws(SandboxError) -> scmp_filter_ctx {
        guard let context = seccomp_init(killProcess) else { throw .failed(call: "seccomp_init", errno: ENOMEM) }
        do throws(SandboxError) {
            // libseccomp checks the architecture first, and would end only the thread.
            let set = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, killProcess)
            guard set == 0 else { throw .failed(call: "seccomp_attr_set", errno: -set) }
            for rule in rules {
                for name in rule.names { try add(rule, name, to: context) }
            }
        } catch {
            seccomp_release(context)
            throw error
        }
        return context
    }

    private static func add(_ rule: SyscallRule, _ name: String, to context: scmp_filter_ctx) throws(SandboxError) {
        let number = seccomp_syscall_resolve_name(name)
        // A call that this architecture does not have needs no rule.
        guard number >= 0 else { return }
        func put(_ action: UInt32, _ comparisons: [scmp_arg_cmp]) throws(SandboxError) {
            let result = seccomp_rule_add_array(context, action, number, UInt32(comparisons.count), comparisons)
            guard result == 0 else { throw .failed(call: "seccomp_rule_add(\(name))", errno: -result) }
        }
        func refuse(_ comparisons: [scmp_arg_cmp]) throws(SandboxError) {
            switch rule.otherwise {
            case .kill: break
            case .refuse(let errno): try put(errnoAction(errno), comparisons)
            }
        }
        switch rule.condition {
        case .always: try put(allow, [])
        case .refused(let errno): try put(errnoAction(errno), [])
        case .equals(let index, let values):
            for value in values { try put(allow, [compare(index, SCMP_CMP_EQ, value)]) }
            try refuse(values.map { compare(index, SCMP_CMP_NE, $0) })
        case .lacks(let index, let bits):
            try put(allow, [compare(index, SCMP_CMP_MASKED_EQ, bits, 0)])
            for bit in (0..<64).map({ UInt64(1) << $0 }) where bits & bit != 0 {
                try refuse([compare(index, SCMP_CMP_MASKED_EQ, bit, bit)])
            }
        case .lacksAny(let index, let bits):
            for bit in bits { try put(allow, [compare(index, SCMP_CMP_MASKED_EQ, bit, 0)]) }
        }
    }

    private static func compare(
        _ index: UInt32, _ operation: scmp_compare, _ first: UInt64, _ second: UInt64 = 0
    ) -> scmp_arg_cmp {
        scmp_arg_cmp(arg: index, op: operation, datum_a: first, datum_b: second)
    }

    // SCMP_ACT_* are macros; the values are the kernel's, seccomp(2).
    private static let allow: UInt32 = 0x7FFF_0000
    private static let killProcess: UInt32 = 0x8000_0000
    private static func errnoAction(_ errno: Int32) -> UInt32 { 0x0005_0000 | UInt32(errno) & 0xFFFF }
}
