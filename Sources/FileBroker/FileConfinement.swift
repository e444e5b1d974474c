internal import CLinux
internal import Glibc
public import IPC
public import Sandbox

/// What a broker has left when it reads its first request: the files of its policy, and few system calls.
public enum FileConfinement {
    /// Memory for a policy of thousands of hosts. As many descriptors as a worker: what is under way to its worker is counted
    /// against this limit together with all that other processes of the user send just now, so a low one makes transfers fail
    /// beside them, and a high one lets a hijacked broker stop the user's other processes from sending theirs. How many files
    /// a broker keeps is counted in `FileService`. It writes no byte of any file itself.
    static func limits(fileSize: UInt?) -> Limits {
        Limits(
            data: 512 << 20, addressSpace: 2 << 30, openFiles: Limits.worker.openFiles, addedTasks: nil,
            fileSize: fileSize)
    }

    /// Looks at what the policy names, and gives up everything else. Call with one thread; there is no way back.
    /// - Parameters:
    ///   - writesOutput: the self-test tells what it found, also into a file.
    ///   - look: is told each place of the policy before it is looked at: the file system there may not answer.
    /// - Returns: the files that are left, and the Landlock ABI in force, 0 for none.
    public static func enter(
        _ policy: FilePolicy, writesOutput: Bool = false, look: (UInt32) -> Void
    ) throws(SandboxError) -> (files: LocalFiles, landlockABI: Int) {
        let threads = Int(csd_thread_count())
        guard threads == 1 else { throw .notSingleThreaded(threads) }
        try limits(fileSize: writesOutput ? nil : 0).apply()
        try Capabilities.drop()
        // The rules are made without capabilities, so that they look at nothing that the process cannot see later.
        let roots = roots(policy, look)
        let own = OwnPath.all(policy.own) { look(UInt32((policy.roots?.count ?? 0) + $0)) }
        look(UInt32(policy.homePlace))
        let rules = LocalRules(roots: roots, home: policy.home, own: own, environment: policy.environment)
        let abi = try Landlock.restrict(required: policy.requireLandlock) { ruleset throws(SandboxError) in
            try grant(roots, look, to: ruleset)
        }
        try SeccompFilter.load(FileSyscalls.rules)
        return (LocalFiles(rules, allowOverwrite: policy.allowOverwrite), abi)
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

    /// To read, and to make, replace and remove regular files. Nothing is listed, executed or made otherwise.
    static let access: Landlock.Access = [.read, .write, .makeRegular, .remove]

    private static func grant(
        _ roots: [LocalRoot]?, _ look: (UInt32) -> Void, to ruleset: borrowing Landlock.Ruleset
    ) throws(SandboxError) {
        guard let roots else {
            // The rules in code say what is closed. A daemon of root opens nothing then.
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
        // The root has just gone: its files cannot be opened, and the next broker looks at it again.
        guard number >= 0 else { return }
        let directory = OwnedFD(taking: number)
        guard identity == nil || FileIdentity(descriptor: directory.rawValue) == identity else { return }
        try ruleset.allow(access, on: directory.rawValue, path)
    }
}
