internal import Glibc

/// A path as the kernel has it, realpath(3).
public enum RealPath {
    /// The path without symlinks; the path itself if nothing is there.
    public static func of(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    /// The path with its directory resolved, and its name as it is.
    public static func ofDirectory(of path: String) -> String {
        let components = PathComponents.of(path).map { String(decoding: $0, as: UTF8.self) }
        guard let name = components.last else { return path }
        let directory = of("/" + components.dropLast().joined(separator: "/"))
        return directory == "/" ? "/\(name)" : "\(directory)/\(name)"
    }

    /// The path without symlinks. If nothing is there, its directory is resolved and the name is kept.
    public static func ofExistingPart(_ path: String) -> String {
        var status = stat()
        return stat(path, &status) == 0 ? of(path) : ofDirectory(of: path)
    }

    /// How many symbolic links may lead to each other, as in the kernel, path_resolution(7).
    private static let mostLinks = 40

    /// The path at which a socket is or would be made: symlinks are resolved, also one that leads to a name where nothing is.
    public static func ofSocket(_ path: String) -> String {
        var path = path
        for _ in 0..<mostLinks {
            if let real = realpath(path, nil) {
                defer { free(real) }
                return String(cString: real)
            }
            while path.count > 1, path.hasSuffix("/") { path.removeLast() }
            let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "/"
            guard let target = link(path) else {
                let name = path.dropFirst(directory.count)
                let real = of(directory)
                return real.hasSuffix("/") ? real + name : "\(real)/\(name)"
            }
            path = target.hasPrefix("/") ? target : directory + target
        }
        return path
    }

    /// The target of a symbolic link as it is written; nil if there is no link.
    private static func link(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(path, &buffer, buffer.count)
        return count > 0 && count < buffer.count ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
}
