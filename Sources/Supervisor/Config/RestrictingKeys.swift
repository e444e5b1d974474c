/// Judges which unknown keys of the config may have been meant to restrict. If such a key were ignored, something would be open
/// which its writer believes closed.
enum RestrictingKeys {
    /// Why an unknown key is not ignored.
    enum Reason: Equatable {
        /// It is similar to this key.
        case near(String)
        /// It contains this word, with which people name restrictions.
        case word(String)
        /// It has characters outside of ASCII, which can look like others.
        case notASCII
    }

    /// The keys that restrict, with their paths.
    static let paths = [
        "audit_log", "capabilities", "capabilities.exec", "capabilities.file_read", "capabilities.file_write",
        "capabilities.port_forward", "hosts", "hosts.NAME.base_dir", "hosts.NAME.exec_allowlist",
        "hosts.NAME.file_transport", "hosts.NAME.forward_allowlist", "limits", "limits.max_output_bytes",
        "limits.max_read_bytes",
        "limits.max_request_bytes", "limits.max_timeout_seconds", "limits.sessions_per_host", "local_roots",
        "safeguards", "safeguards.allow_delete", "safeguards.allow_overwrite", "safeguards.guard_disabled",
        "safeguards.patterns", "sandbox", "sandbox.require_landlock",
        "transport",
    ]

    /// Words, without a plural's "s", with which people name restrictions.
    private static let words: Set<String> = [
        "acces", "acl", "allow", "allowed", "allowlist", "approval", "audit", "base", "basepath", "blacklist", "block",
        "blocked", "blocklist", "capabilitie", "capability", "chroot", "command", "confine", "confirm", "denied",
        "deny", "denylist", "disable", "disabled", "disallow", "disallowed", "exclude", "excluded", "exec", "filter",
        "forbid", "forbidden", "guard", "isolate", "isolation", "jail", "landlock", "limit", "max", "no", "only",
        "permission", "permit", "policie", "policy", "privilege", "profile", "protect", "protected", "read", "readable",
        "readonly", "restrict", "restricted", "restriction", "ro", "root", "rule", "safeguard", "sandbox", "seccomp",
        "secure", "security", "strict", "timeout", "whitelist", "writable", "write",
    ]

    private static let names: [(path: String, letters: [UInt8])] = paths.map { path in
        let start = path.lastIndex(of: ".").map { path.index(after: $0) } ?? path.startIndex
        return (path, letters(String(path[start...])))
    }

    /// Why the unknown key `name` is not ignored; nil if it is.
    static func reason(for name: String) -> Reason? {
        guard name.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else { return .notASCII }
        // A key that is written as a path, "safeguards.allow_delete", is judged by each of its parts as well.
        let parts = [name] + name.split(separator: ".").map(String.init)
        for part in parts {
            let written = letters(part)
            let nearest = names.map { (distance: distance(written, $0.letters), entry: $0) }
                .filter { $0.distance <= tolerance($0.entry.letters.count) }.min { $0.distance < $1.distance }
            if let nearest { return .near(nearest.entry.path) }
            if let entry = names.first(where: { isPart(written, of: $0.letters) || isPart($0.letters, of: written) }) {
                return .near(entry.path)
            }
        }
        return wordsOf(name).first { words.contains($0) }.map { .word($0) }
    }

    /// How many changes two names of this length may be apart and still be taken for the same.
    private static func tolerance(_ count: Int) -> Int { count <= 5 ? 1 : count <= 9 ? 2 : 3 }

    /// Whether a name is a part of another one and at least half of it, such as "allowlist" in "exec_allowlist".
    private static func isPart(_ part: [UInt8], of whole: [UInt8]) -> Bool {
        guard part.count >= 5, part.count < whole.count, part.count * 2 >= whole.count else { return false }
        return (0...(whole.count - part.count)).contains { whole[$0...].starts(with: part) }
    }

    /// The letters and digits of a name, in lower case. Names that differ only in case, underscores and dashes are the same.
    private static func letters(_ name: String) -> [UInt8] {
        name.utf8.compactMap { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): byte
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte + 0x20
            default: nil
            }
        }
    }

    /// The words of a name such as `maxClients` or `max-clients`, in lower case and without a plural's "s".
    private static func wordsOf(_ name: String) -> [String] {
        var spaced = ""
        for character in name {
            guard character.isLetter || character.isNumber else {
                spaced += " "
                continue
            }
            spaced += character.isUppercase && spaced.last?.isLowercase == true ? " \(character)" : "\(character)"
        }
        return spaced.lowercased().split(separator: " ").map { $0.hasSuffix("s") ? String($0.dropLast()) : String($0) }
    }

    /// How many letters must be inserted, deleted, replaced or swapped with their neighbour to make one name of the other.
    static func distance(_ first: [UInt8], _ second: [UInt8]) -> Int {
        guard abs(first.count - second.count) <= 3 else { return 4 }
        var (before, row) = ([Int](), Array(0...second.count))
        for (index, letter) in first.enumerated() {
            var next = [index + 1]
            for column in second.indices {
                var best = min(row[column] + (second[column] == letter ? 0 : 1), row[column + 1] + 1, next[column] + 1)
                if index > 0, column > 0, first[index - 1] == second[column], second[column - 1] == letter {
                    best = min(best, before[column - 1] + 1)
                }
                next.append(best)
            }
            (before, row) = (row, next)
        }
        return row[second.count]
    }
}
