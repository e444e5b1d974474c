internal import Glibc
internal import IPC

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
