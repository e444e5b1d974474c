internal import Glibc

/// Paths by their components, which are bytes.
enum PathComponents {
    static let slash = UInt8(ascii: "/")
    private static let here: [UInt8] = [UInt8(ascii: ".")]
    static let parent: [UInt8] = Array("..".utf8)

    static func of(_ path: String) -> [[UInt8]] {
        path.utf8.split(separator: slash).map(Array.init).filter { $0 != here }
    }

    /// Whether `path` is `directory` or lies in it, by the text. `..` is judged by the kernel.
    static func isInside(_ path: String, _ directory: String) -> Bool { of(path).starts(with: of(directory)) }

    /// The components with each `..` taken together with the one before it, by the text.
    static func withoutParents(_ path: String) -> [[UInt8]] {
        var plain: [[UInt8]] = []
        for component in of(path) {
            if component == parent { _ = plain.popLast() } else { plain.append(component) }
        }
        return plain
    }

    /// The directory and the name of an absolute path; the name is empty where it ends in a slash.
    static func split(_ path: String) -> (directory: String, name: String) {
        let end = path.utf8.lastIndex(of: slash) ?? path.utf8.startIndex
        let directory = String(decoding: path.utf8[..<end], as: UTF8.self)
        return (directory.isEmpty ? "/" : directory, String(decoding: path.utf8[end...].dropFirst(), as: UTF8.self))
    }

    /// An absolute path and all above it, without the root.
    static func prefixes(_ path: String) -> [String] {
        var text = ""
        return of(path).map { component in
            text += "/" + String(decoding: component, as: UTF8.self)
            return text
        }
    }
}

/// A path as the kernel has it, realpath(3).
enum RealPath {
    /// Without symlinks; as it is where nothing lies there.
    static func of(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    /// The name as it is, in its directory without symlinks.
    static func ofDirectory(of path: String) -> String {
        let components = PathComponents.of(path).map { String(decoding: $0, as: UTF8.self) }
        guard let name = components.last else { return path }
        let directory = of("/" + components.dropLast().joined(separator: "/"))
        return directory == "/" ? "/\(name)" : "\(directory)/\(name)"
    }

    /// Without symlinks; where nothing lies there, the name in its directory without symlinks.
    static func ofExistingPart(_ path: String) -> String {
        FileIdentity(path: path) == nil ? ofDirectory(of: path) : of(path)
    }
}

/// Which file or directory it is, whatever its names.
struct FileIdentity: Hashable {
    private let device: dev_t
    private let inode: ino_t

    private init(_ status: stat) {
        device = status.st_dev
        inode = status.st_ino
    }

    /// Of what a path leads to; nil where there is nothing.
    init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    init?(descriptor: Int32) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        self.init(status)
    }
}
