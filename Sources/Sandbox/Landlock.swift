internal import CLinux
internal import Glibc

/// Confines a process, and all that it starts, in its use of files, TCP and signals; Documentation/userspace-api/landlock.rst.
/// Everything that is not granted is refused.
public enum Landlock {
    /// Rights on the files below a path, `LANDLOCK_ACCESS_FS_*`.
    public struct Access: OptionSet, Sendable {
        /// The kernel's bits.
        public let rawValue: UInt64

        /// The rights with these bits of the kernel.
        public init(rawValue: UInt64) { self.rawValue = rawValue }

        /// Execute files.
        public static let execute = Access(rawValue: UInt64(CSD_LANDLOCK_FS_EXECUTE))
        /// Open files for writing.
        public static let write = Access(rawValue: UInt64(CSD_LANDLOCK_FS_WRITE_FILE))
        /// Open files for reading.
        public static let read = Access(rawValue: UInt64(CSD_LANDLOCK_FS_READ_FILE))
        /// List directories.
        public static let list = Access(rawValue: UInt64(CSD_LANDLOCK_FS_READ_DIR))
        /// Remove and rename files.
        public static let remove = Access(rawValue: UInt64(CSD_LANDLOCK_FS_REMOVE_FILE))
        /// Make, link and rename regular files.
        public static let makeRegular = Access(rawValue: UInt64(CSD_LANDLOCK_FS_MAKE_REG))
    }

    /// A ruleset to which rights can be added, because it is not in force yet.
    public struct Ruleset: ~Copyable {
        private let descriptor: Int32

        fileprivate init(_ descriptor: Int32) { self.descriptor = descriptor }

        deinit { close(descriptor) }

        /// Grants rights on the open file or directory and on all below it. On a file only rights of files may be granted.
        public func allow(_ access: Access, on opened: Int32, _ path: String) throws(SandboxError) {
            var attribute = csd_landlock_path_beneath_attr(allowed_access: access.rawValue, parent_fd: opened)
            guard csd_landlock_add_path(descriptor, &attribute) == 0 else {
                throw .failed(call: "landlock_add_rule(\(path))", errno: errno)
            }
        }

        fileprivate func enforce() throws(SandboxError) {
            guard csd_landlock_restrict_self(descriptor) == 0 else {
                throw .failed(call: "landlock_restrict_self", errno: errno)
            }
        }
    }

    /// Restricts this process and all that it starts, for good. The process must have one thread and `no_new_privs`.
    /// - Returns: the kernel's Landlock ABI; 0 if there is none and `required` is false.
    public static func restrict(
        required: Bool, _ grant: (borrowing Ruleset) throws(SandboxError) -> Void
    ) throws(SandboxError) -> Int {
        let abi = Int(csd_landlock_abi())
        guard abi > 0 else {
            if required { throw .noLandlock }
            return 0
        }
        var attribute = csd_landlock_ruleset_attr(
            handled_access_fs: (1 << filesystemRights(abi: abi)) - 1,
            handled_access_net: abi >= 4 ? UInt64(CSD_LANDLOCK_NET_BIND_TCP | CSD_LANDLOCK_NET_CONNECT_TCP) : 0,
            scoped: abi >= 6 ? UInt64(CSD_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | CSD_LANDLOCK_SCOPE_SIGNAL) : 0)
        // Older kernels know a shorter structure. They accept a longer one if its tail is zero, which it is here.
        let number = csd_landlock_create_ruleset(&attribute, MemoryLayout<csd_landlock_ruleset_attr>.size)
        guard number >= 0 else { throw .failed(call: "landlock_create_ruleset", errno: errno) }
        let ruleset = Ruleset(number)
        try grant(ruleset)
        try ruleset.enforce()
        return abi
    }

    /// How many filesystem rights an ABI knows: 13 in the first, then REFER (2), TRUNCATE (3), IOCTL_DEV (5).
    private static func filesystemRights(abi: Int) -> UInt64 {
        switch abi {
        case 1: 13
        case 2: 14
        case 3, 4: 15
        default: 16
        }
    }
}
