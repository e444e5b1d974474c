/// What a host's policy allows requests of an SFTP channel to do.
public struct SFTPRules: Equatable, Sendable {
    /// Whether files may be made, changed and removed.
    public let allowsWriting: Bool
    /// The tree in which every path must lie, as its components; nil if every path is allowed.
    let tree: [[UInt8]]?

    /// The rules of a host.
    /// - Parameters:
    ///   - allowsWriting: `capabilities.file_write`.
    ///   - baseDirectory: `base_dir` of the host, an absolute path; nil if every path is allowed.
    public init(allowsWriting: Bool, baseDirectory: String?) {
        self.allowsWriting = allowsWriting
        tree = baseDirectory.map { Self.parts(Array($0.utf8)[...]).filter { !Self.isDot($0) } }
    }

    /// Whether these rules allow everything, so that the requests need not be read.
    public var allowEverything: Bool { allowsWriting && tree == nil }

    /// Whether the path lies in the tree by its text alone, whatever files the host has. A path with `..` does not:
    /// where `..` leads depends on the symlinks before it.
    func holds(_ path: ArraySlice<UInt8>) -> Bool {
        guard let tree else { return true }
        guard path.first == UInt8(ascii: "/"), !path.contains(0) else { return false }
        let parts = Self.parts(path).filter { !Self.isDot($0) }
        return !parts.contains(Array("..".utf8)) && parts.starts(with: tree)
    }

    /// Whether REALPATH may be asked about the path: where it `holds`, and for `.`, the login directory. The answer to that is
    /// a name, by which `~` in a path is judged, and opens nothing.
    func resolves(_ path: ArraySlice<UInt8>) -> Bool { Self.isDot(Array(path)) || holds(path) }

    private static func parts(_ path: ArraySlice<UInt8>) -> [[UInt8]] {
        path.split(separator: UInt8(ascii: "/")).map { Array($0) }
    }

    private static func isDot(_ part: [UInt8]) -> Bool { part == [UInt8(ascii: ".")] }
}
