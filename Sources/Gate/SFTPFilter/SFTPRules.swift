/// What the policy of a host lets requests of an SFTP channel do.
public struct SFTPRules: Equatable, Sendable {
    /// Files may be made, changed and removed.
    public let allowsWriting: Bool
    /// The tree in which every path must lie, as its components; nil where it may be any.
    let tree: [[UInt8]]?

    /// The rules of a host.
    /// - Parameters:
    ///   - allowsWriting: `capabilities.file_write`.
    ///   - baseDirectory: `base_dir` of the host, an absolute path; nil for any.
    public init(allowsWriting: Bool, baseDirectory: String?) {
        self.allowsWriting = allowsWriting
        tree = baseDirectory.map { Self.parts(Array($0.utf8)[...]).filter { !Self.isDot($0) } }
    }

    /// Whether these rules let everything through, so that nobody needs to read the requests.
    public var allowEverything: Bool { allowsWriting && tree == nil }

    /// Whether a path is written so that it lies in the tree, whatever the host has there. A `..` lies nowhere: what it
    /// leads to depends on the symlinks before it.
    func holds(_ path: ArraySlice<UInt8>) -> Bool {
        guard let tree else { return true }
        guard path.first == UInt8(ascii: "/"), !path.contains(0) else { return false }
        let parts = Self.parts(path).filter { !Self.isDot($0) }
        return !parts.contains(Array("..".utf8)) && parts.starts(with: tree)
    }

    private static func parts(_ path: ArraySlice<UInt8>) -> [[UInt8]] {
        path.split(separator: UInt8(ascii: "/")).map { Array($0) }
    }

    private static func isDot(_ part: [UInt8]) -> Bool { part == [UInt8(ascii: ".")] }
}
