/// Why a process could not confine itself. Then it must not serve.
public enum SandboxError: Error, Sendable, CustomStringConvertible {
    /// The kernel has no Landlock, and the config requires it.
    case noLandlock
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
        case .failed(let call, let errno): "confinement failed: \(call): errno \(errno)"
        case .notAProgram(let path): "\(path) is not an ELF program; set ssh_path to the real ssh binary"
        case .notSingleThreaded(let count): "\(count) threads run before the confinement"
        }
    }
}
