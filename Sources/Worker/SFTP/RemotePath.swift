internal import Glibc

/// Works on paths of a host, which are bytes.
enum RemotePath {
    private static let slash = UInt8(ascii: "/")

    /// Returns the name after the last slash and the directory before it; nil if the path has no name under which a
    /// file can be created.
    static func split(_ path: [UInt8]) -> (directory: [UInt8], name: [UInt8])? {
        let end = path.lastIndex { $0 != slash }.map { $0 + 1 } ?? 0
        let trimmed = path[..<end]
        let start = trimmed.lastIndex(of: slash).map { $0 + 1 } ?? 0
        let name = Array(trimmed[start...])
        guard !name.isEmpty, name != Array(".".utf8), name != Array("..".utf8) else { return nil }
        guard start > 0 else { return (Array(".".utf8), name) }
        let directory = trimmed[..<(start - 1)]
        return (directory.isEmpty ? [slash] : Array(directory), name)
    }

    static func join(_ directory: [UInt8], _ name: some Collection<UInt8>) -> [UInt8] {
        directory.last == slash ? directory + name : directory + [slash] + name
    }

    /// Whether it can be the name of a directory's entry.
    static func isName(_ name: [UInt8]) -> Bool {
        name.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, !bytes.isEmpty else { return false }
            return memchr(base, Int32(slash), bytes.count) == nil && memchr(base, 0, bytes.count) == nil
        }
    }

    /// The names of a path, without `.`.
    static func names(_ path: some Collection<UInt8>) -> [[UInt8]] {
        path.split(separator: slash).map { Array($0) }.filter { $0 != Array(".".utf8) }
    }

    /// Whether a path without `..` is `base` or lies below it, by the text.
    static func lies(_ path: some Collection<UInt8>, in base: [UInt8]) -> Bool { names(path).starts(with: names(base)) }

    /// Whether a resolved path is `base` or lies below it; `base` is resolved, too.
    static func isInside(_ path: [UInt8], _ base: [UInt8]) -> Bool {
        guard path.first == slash, base.first == slash else { return false }
        let root = base.last == slash ? base.dropLast() : base[...]
        return path.starts(with: root) && (path.count == root.count || path[root.count] == slash)
    }

    /// The indices at which the path and each directory above it end, the shortest first, without the root. `.` and
    /// `..` are not resolved.
    static func ends(_ path: [UInt8]) -> [Int] {
        var ends = path.indices.filter { $0 > 0 && path[$0] == slash && path[$0 - 1] != slash }
        if path.last != slash { ends.append(path.count) }
        return ends
    }

    /// What names of temporary files have before their random part, and behind it.
    private static let tag = ".claude-ssh-"
    private static let ending = ".tmp"

    /// A shell's pattern for the names of temporary files.
    static let temporaries = ".*\(tag)*\(ending)"

    /// Whether it is the name of a temporary file of this program.
    static func isTemporary(_ name: [UInt8]) -> Bool {
        guard name.first == UInt8(ascii: "."), name.suffix(ending.utf8.count).elementsEqual(ending.utf8) else {
            return false
        }
        let stem = name.dropLast(ending.utf8.count)
        let random = stem[((stem.lastIndex(of: UInt8(ascii: "-")) ?? stem.startIndex) + 1)...]
        return (1...13).contains(random.count) && random.allSatisfy(Self.isDigit)
            && stem.dropLast(random.count).suffix(tag.utf8.count).elementsEqual(tag.utf8)
    }

    /// Whether it is a digit to the base 36.
    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
    }

    /// A path for a temporary file beside `path`. Its name is hidden, cannot be guessed, says whose it is, and has at most 255 bytes.
    static func temporary(beside path: [UInt8]) -> [UInt8]? {
        guard let (directory, name) = split(path) else { return nil }
        return hidden(directory, name, ending)
    }

    /// A path for a copy of a file beside it. Nobody removes it but who made it.
    static func copy(beside path: [UInt8]) -> [UInt8]? {
        guard let (directory, name) = split(path) else { return nil }
        return hidden(directory, name, ".old")
    }

    private static func hidden(_ directory: [UInt8], _ name: [UInt8], _ ending: String) -> [UInt8] {
        let tail = "\(tag)\(String(UInt64.random(in: .min ... .max), radix: 36))\(ending)"
        return join(directory, Array(".".utf8) + name.prefix(254 - tail.utf8.count) + Array(tail.utf8))
    }
}

/// Whether `left` comes before `right` in the order of their bytes.
func precedes(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.withUnsafeBytes { left in
        right.withUnsafeBytes { right in
            let common = min(left.count, right.count)
            guard common > 0, let first = left.baseAddress, let second = right.baseAddress else {
                return left.count < right.count
            }
            let order = memcmp(first, second, common)
            return order == 0 ? left.count < right.count : order < 0
        }
    }
}
