internal import Glibc

/// Why a process could not confine itself. Then it must not serve.
public enum SandboxError: Error, Sendable, CustomStringConvertible {
    /// The kernel has no Landlock, and the config requires it.
    case noLandlock
    /// The kernel gives no listener for the filter, with this errno: EBUSY where another filter of this process has one.
    case noListener(errno: Int32)
    /// A call failed: its name, its object and errno.
    case failed(call: String, errno: Int32)
    /// The program is no ELF file whose interpreter could be found.
    case notAProgram(path: String)
    /// The process has more than one thread, so the confinement would miss the others.
    case notSingleThreaded(Int)

    /// A sentence for the log, with what to do next.
    public var description: String {
        switch self {
        case .noLandlock:
            "this kernel has no Landlock (Linux 5.13 with CONFIG_SECURITY_LANDLOCK and 'landlock' in the lsm= list); "
                + "to serve without it set \"sandbox\": {\"require_landlock\": false}"
        case .noListener(let code):
            "the kernel gives no seccomp notification here (\(String(cString: strerror(code))))"
                + (code == EBUSY ? ": what this daemon runs in has a filter with one already" : "")
                + "; \"transport\": \"ssh\" needs it, and \"transport\": \"mux\" does not"
        case .failed(let call, let errno): "confinement failed: \(call): errno \(errno)"
        case .notAProgram(let path): "\(path) is not an ELF program; set ssh_path to the real ssh binary"
        case .notSingleThreaded(let count): "\(count) threads run before the confinement"
        }
    }
}
