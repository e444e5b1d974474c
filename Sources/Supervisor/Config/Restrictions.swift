internal import IPC

/// Values of keys that restrict, where something is open as long as the key is left out.
///
/// Such a key with `null`, an empty text or the root directory is given and restricts nothing: what its writer believes closed
/// would be open. So that is a mistake, whatever the key. The config of version 2.1 documents two such values as "not
/// restricted" (`base_dir: ""` and `exec_allowlist: null`); they are taken for what they say there, with a warning.
///
/// Where something is closed as long as the key is left out (`capabilities` at the top, `safeguards`, `sandbox`, `limits`),
/// `null` opens nothing and is a mistake all the same, see `ConfigReader.restrictions`: its writer wanted to set something.
struct Restrictions {
    /// What a value says that restricts nothing.
    enum Empty: String {
        case null
        case text = "\"\""
    }

    /// A key, and what one that restricts nothing leaves open.
    struct Key {
        let name: String
        /// The rest of a sentence: what is allowed without it.
        let open: String
        /// What to write instead.
        let instead: String
        /// What version 2.1 documents for "not restricted".
        var documented: Empty?
    }

    static let baseDirectory = Key(
        name: "base_dir", open: "files may lie anywhere", instead: "Name a directory", documented: .text)
    static let execAllowlist = Key(
        name: "exec_allowlist", open: "every command is allowed", instead: "Name the commands ([] allows none)",
        documented: .null)
    static let forwardAllowlist = Key(
        name: "forward_allowlist", open: "forwards may lead anywhere", instead: "Name the targets ([] allows none)")
    static let localRoots = Key(
        name: "local_roots", open: "it leaves open what it is to close",
        instead: "Name the directories ([] allows none)")
    static let auditLog = Key(name: "audit_log", open: "no call is written down", instead: "Name the file")
    static let capabilities = Key(
        name: "capabilities", open: "the host has all that hosts have", instead: "Name what is off, with false")

    /// A capability of one host.
    static func capability(_ name: String) -> Key {
        Key(name: name, open: "the host has it where hosts have it", instead: "Write true or false")
    }

    private let reader: ConfigReader

    init(_ reader: ConfigReader) {
        self.reader = reader
    }

    /// Whether the key is there with a value to be read; one that restricts nothing is told.
    func has(_ key: Key) -> Bool {
        let empty: Empty
        if reader.isNull(key.name) {
            empty = .null
        } else if reader.isEmptyText(key.name) {
            empty = .text
        } else {
            return reader.has(key.name)
        }
        if empty == key.documented {
            reader.warn(
                key.name, "\(empty.rawValue) restricts nothing: \(key.open). \(key.instead), or remove the key")
        } else {
            reader.note(
                key.name, "\(empty.rawValue) restricts nothing: \(key.open). \(key.instead), or remove the key")
        }
        return false
    }

    /// A list of texts; nil where the key restricts nothing.
    func strings(_ key: Key) -> [String]? { has(key) ? reader.strings(key.name) : nil }

    /// An object; nil where the key restricts nothing.
    func object(_ key: Key) -> ConfigReader? { has(key) ? reader.object(key.name) : nil }

    /// A path on this machine.
    func path(_ key: Key, _ expand: PathExpansion) -> String? { has(key) ? expand.path(reader, key.name) : nil }

    /// A directory on a host.
    func remoteDirectory(_ key: Key) -> String? {
        guard has(key), let directory = reader.string(key.name) else { return nil }
        if !directory.hasPrefix("/") || directory.utf8.contains(0) {
            reader.note(key.name, "must be absolute, got \"\(directory)\"")
        } else {
            refuseRoot(directory, written: directory, key, at: key.name)
        }
        return directory
    }

    /// Trees on this machine.
    func trees(_ key: Key, _ expand: PathExpansion) -> [String]? {
        guard let written = strings(key) else { return nil }
        return written.enumerated().compactMap { index, text in
            let place = "\(key.name)[\(index)]"
            guard let path = expand.expanded(text, reader, place) else { return nil }
            refuseRoot(path, written: text, key, at: place)
            return path
        }
    }

    /// The root directory holds everything, and what /proc calls a directory of a process may be it. Nothing is looked at
    /// here; `RootDirectory` and the file broker do that.
    private func refuseRoot(_ path: String, written: String, _ key: Key, at place: String) {
        let plain = PathComponents.withoutParents(path)
        if plain.isEmpty {
            reader.note(
                place, "restricts nothing: \"\(written)\" is the root directory. \(key.instead), or remove the key")
        } else if RootDirectory.isOfProcess(plain) || RootDirectory.isOfProcess(PathComponents.of(path)) {
            reader.note(
                place,
                "restricts nothing: \"\(written)\" leads to whatever directory a process has. \(key.instead), "
                    + "or remove the key")
        }
    }
}
