internal import Glibc
internal import IPC

/// Judges by paths which local files transfers may touch. It opens nothing, and knows nothing of workers. It is made once, when a
/// broker starts: roots, the home directory and the daemon's files are taken to be where they were then.
struct LocalRules {
    private let roots: [LocalRoot]?
    private var own: [OwnPath]
    private let protected: [ProtectedPath]
    private let userID: UInt32

    /// - Parameters:
    ///   - roots: the trees that are open; nil for all files that are not hidden, not protected and not the system's, and for no
    ///     file if the daemon runs as root.
    ///   - own: the daemon's own files.
    ///   - environment: the user's PATH and XDG directories.
    ///   - userID: the user as whom the daemon runs.
    init(
        roots: [LocalRoot]?, home: String?, own: [OwnPath] = [], environment: [String: String] = [:],
        userID: UInt32 = geteuid()
    ) {
        let runtimeDirectory = environment["XDG_RUNTIME_DIR"].flatMap { $0.hasPrefix("/") ? $0 : nil }
        self.roots = roots
        self.own = own
        self.userID = userID
        protected =
            ProtectedPath.always(home: home, runtimeDirectory: runtimeDirectory, environment: environment)
            + (roots == nil ? ProtectedPath.withoutRoots(home: home, environment: environment) : [])
    }

    /// Takes the daemon's own files of a new policy.
    mutating func update(own: [OwnPath]) { self.own = own }

    /// The changed root that has a path, as it was asked for; nil if there is none, or if a root that has not changed has the path
    /// as well.
    func changedRoot(of path: String) -> Int? {
        let plain = PathComponents.withoutParents(path)
        var changed: Int?
        for (index, root) in (roots ?? []).enumerated() where root.contains(plain) {
            if !root.hasChanged { return nil }
            changed = changed ?? index
        }
        return changed
    }

    /// Refuses a path that can be refused by its text. Nothing at that path is looked at.
    func judge(asked path: String) throws(LocalRefusal) {
        guard let roots else {
            guard userID != 0 else {
                throw LocalRefusal(
                    sentence: "The local path \(path) is closed: a daemon of root opens no local file without "
                        + "local_roots. Ask the user to name the directory for transfers in local_roots.",
                    rule: "local_roots")
            }
            return try judgeHidden(path, asked: path)
        }
        let plain = PathComponents.withoutParents(path)
        guard roots.contains(where: { !$0.isEverything && $0.contains(plain) }) else {
            throw outside(path, roots)
        }
    }

    /// Judges the real path to which the path that was asked for has led.
    func judge(real: String, asked: String) throws(LocalRefusal) {
        try judgeOwn(real: real, asked: asked)
        if let roots {
            guard roots.contains(where: { $0.reallyContains(real) }) else {
                throw outside(asked, roots)
            }
        } else {
            try judgeHidden(real, asked: asked)
            if let why = RunByThemselves.problem(ofDirectoriesAbove: real) { throw closed(asked, why) }
        }
        let above = Set(PathComponents.prefixes(real).compactMap { FileIdentity(path: $0) })
        for path in protected {
            // The same file or directory can have another name, by a symlink, a hard link or a bind mount.
            let isSame = FileIdentity(path: path.text).map { above.contains($0) } ?? false
            guard isSame || path.names.contains(where: { PathComponents.isInside(real, $0) }) else { continue }
            guard let roots else { throw closed(asked, path.why) }
            let isNamed = roots.contains { root in
                path.names.contains { PathComponents.of($0) == PathComponents.of(root.text) }
            }
            if isNamed { continue }
            throw LocalRefusal(
                sentence:
                    "The local path \(asked) is protected (\(path.text)): it may hold secrets or is run by itself. "
                    + "Use another path, or ask the user to name exactly \(path.text) in local_roots.",
                rule: "local_roots")
        }
    }

    /// Refuses a file that has several names, because another name of it may be hidden or protected, and cannot be found.
    func judge(links: UInt64, asked: String) throws(LocalRefusal) {
        guard roots == nil, links > 1 else { return }
        throw closed(
            asked, "the file has \(links) names (hard links), of which one may be hidden or protected; a copy has one")
    }

    /// Judges the real path of a new file.
    func judge(new real: String, asked: String) throws(LocalRefusal) {
        guard roots == nil, let why = RunByThemselves.problem(ofNew: real) else { return }
        throw closed(asked, why)
    }

    /// Refuses the daemon's own files. This is asked again when a new file gets its name, whatever the rules were before.
    func judgeOwn(real: String, asked: String) throws(LocalRefusal) {
        let identity = FileIdentity(path: real)
        let found = own.first { path in path.covers(real) || identity != nil && path.identity == identity }
        guard let found else { return }
        throw LocalRefusal(
            sentence: "The local path \(asked) is \(found.what), or belongs to it. Use another path.",
            rule: "local_roots")
    }

    /// Refuses hidden files and directories, which have credentials and settings that run commands, and `bin`, which has programs.
    private func judgeHidden(_ path: String, asked: String) throws(LocalRefusal) {
        for component in PathComponents.of(path) where component != PathComponents.parent {
            if component.first == UInt8(ascii: ".") {
                throw closed(asked, "\"\(String(decoding: component, as: UTF8.self))\" is hidden")
            }
            if component.elementsEqual("bin".utf8) || component.elementsEqual("sbin".utf8) {
                throw closed(asked, "\"\(String(decoding: component, as: UTF8.self))\" is a directory of programs")
            }
        }
    }

    private func closed(_ path: String, _ why: String) -> LocalRefusal {
        LocalRefusal(
            sentence: "The local path \(path) is closed while local_roots is not set: \(why). "
                + "Use another path, or ask the user to name the directory for transfers in local_roots.",
            rule: "local_roots")
    }

    private func outside(_ path: String, _ roots: [LocalRoot]) -> LocalRefusal {
        let open = Self.list(roots.filter { !$0.isEverything })
        let all = Self.list(roots.filter(\.isEverything))
        return LocalRefusal(
            sentence: "The local path \(path) is not in local_roots. "
                + (open.isEmpty
                    ? "Ask the user to name the directory for transfers there."
                    : "Use a path in one of those below, or ask the user to add its directory to local_roots.")
                + (all.isEmpty ? "" : " \(all) there is the root directory under another name and opens nothing.")
                + (open.isEmpty ? "" : " Allowed are paths in: \(open)."),
            rule: "local_roots")
    }

    /// How many bytes of the names of roots a refusal has. It tells only the number of the others.
    private static let maximumList = 1024

    private static func list(_ roots: [LocalRoot]) -> String {
        var text = ""
        for (index, root) in roots.enumerated() {
            guard text.utf8.count + root.text.utf8.count <= maximumList else {
                let others = "\(roots.count - index) others"
                return text.isEmpty ? others : "\(text) and \(others)"
            }
            text += text.isEmpty ? root.text : ", \(root.text)"
        }
        return text
    }
}
