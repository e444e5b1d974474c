internal import CLinux
internal import Glibc
public import IPC
public import Sandbox

/// Confines a broker to the files of its policy and to few system calls, before it reads its first request.
public enum FileConfinement {
    /// The limits of a broker. There is memory for a policy of thousands of hosts. A broker may have as many descriptors as a
    /// worker: the kernel compares this limit with all descriptors that processes of the user have in flight. A low limit would
    /// make transfers fail if other processes send many, and a high one would let a hijacked broker keep other processes from
    /// sending theirs. `FileService` bounds how many files a broker keeps. The broker itself writes no byte to any file.
    static func limits(fileSize: UInt?) -> Limits {
        Limits(
            data: 512 << 20, addressSpace: 2 << 30, openFiles: Limits.worker.openFiles, addedTasks: nil,
            fileSize: fileSize)
    }

    /// Looks at the paths of the policy, and then gives up the right to all others, for good. The process must have one thread.
    /// - Parameters:
    ///   - writesOutput: whether standard output may be written to, even if it is a file. The self-test needs that.
    ///   - look: called with each place of the policy before the broker looks at it, because the file system may not answer.
    /// - Returns: the files that are left, and the Landlock ABI in force; 0 if there is none.
    public static func enter(
        _ policy: FilePolicy, writesOutput: Bool = false, look: (UInt32) -> Void
    ) throws(SandboxError) -> (files: LocalFiles, landlockABI: Int) {
        let threads = Int(csd_thread_count())
        guard threads == 1 else { throw .notSingleThreaded(threads) }
        try limits(fileSize: writesOutput ? nil : 0).apply()
        try Capabilities.drop()
        // The rules are made after the capabilities are gone, so that they judge only what the process can still see later.
        let roots = roots(policy, look)
        let own = OwnPath.all(policy.own) { look(UInt32((policy.roots?.count ?? 0) + $0)) }
        look(UInt32(policy.homePlace))
        let mask = umask(0o077)
        umask(mask)
        let rules = LocalRules(roots: roots, home: policy.home, own: own, environment: policy.environment)
        let abi = try Landlock.restrict(required: policy.requireLandlock) { ruleset throws(SandboxError) in
            try grant(roots, look, to: ruleset)
        }
        try SeccompFilter.load(FileSyscalls.rules)
        return (LocalFiles(rules, allowOverwrite: policy.allowOverwrite, mask: mask), abi)
    }

    private static func roots(_ policy: FilePolicy, _ look: (UInt32) -> Void) -> [LocalRoot]? {
        let leftOut = Set(policy.leftOut)
        return policy.roots.map { roots in
            roots.enumerated().map { index, text in
                if leftOut.contains(index) { return LocalRoot(leftOut: text) }
                look(UInt32(index))
                return LocalRoot(text)
            }
        }
    }

    /// The rights to read regular files, and to make, replace and remove them. Nothing can be listed or executed.
    static let access: Landlock.Access = [.read, .write, .makeRegular, .remove]

    private static func grant(
        _ roots: [LocalRoot]?, _ look: (UInt32) -> Void, to ruleset: borrowing Landlock.Ruleset
    ) throws(SandboxError) {
        guard let roots else {
            // `LocalRules` alone judges what is closed then. A daemon of root opens nothing without roots.
            if geteuid() != 0 { try grant("/", nil, to: ruleset) }
            return
        }
        for (index, root) in roots.enumerated()
        where !root.isLeftOut && !root.isEverything && root.identity != nil {
            look(UInt32(index))
            try grant(root.anchor, root.identity, to: ruleset)
        }
    }

    private static func grant(
        _ path: String, _ identity: FileIdentity?, to ruleset: borrowing Landlock.Ruleset
    ) throws(SandboxError) {
        let number = open(path, CSD_O_PATH | O_DIRECTORY | O_CLOEXEC)
        // The root has gone since it was looked at. Its files cannot be opened, and the next broker looks at it again.
        guard number >= 0 else { return }
        let directory = OwnedFD(taking: number)
        guard identity == nil || FileIdentity(descriptor: directory.rawValue) == identity else { return }
        try ruleset.allow(access, on: directory.rawValue, path)
    }
}
