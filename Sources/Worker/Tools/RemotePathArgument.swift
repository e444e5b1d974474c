internal import FoundationEssentials
internal import IPC
internal import SFTP

/// The path on a host that an argument names: absolute, or `~` or `~/…` for what lies in the login directory. Beside the argument
/// `NAME` there is `NAME_base64`, for paths that are not UTF-8.
struct RemotePathArgument {
    private enum Form {
        case absolute
        /// In the login directory; what follows the `~/`.
        case home(ArraySlice<UInt8>)
        case relative
    }

    private static let slash = UInt8(ascii: "/")
    private static let tilde = UInt8(ascii: "~")

    private let name: String
    private let bytes: [UInt8]
    private let form: Form

    /// Reads the argument of this name, or the one in base64.
    /// - Throws: if there is none, or both, if it can be no path, or if it names another user's home.
    init(_ arguments: Arguments, _ plain: String) throws(Arguments.Mistake) {
        let encoded = plain + "_base64"
        if let text = try arguments.string(encoded) {
            guard try arguments.string(plain) == nil else {
                throw Arguments.Mistake(sentence: "Pass \"\(plain)\" or \"\(encoded)\", not both. Nothing was done.")
            }
            guard let data = Data(base64Encoded: text), !data.isEmpty, !data.contains(0) else {
                throw Arguments.Mistake(
                    sentence:
                        "Argument \"\(encoded)\" must be the base64 of a path without NUL, as ssh_list_dir has it.")
            }
            (name, bytes) = (encoded, Array(data))
        } else {
            (name, bytes) = (plain, Array(try arguments.requiredString(plain).utf8))
        }
        guard bytes.count <= Frame.maximumPath else {
            throw Arguments.Mistake(
                sentence: "Argument \"\(name)\" is \(bytes.count) bytes long; paths have at most \(Frame.maximumPath).")
        }
        if bytes.first == Self.slash {
            form = .absolute
        } else if bytes.first == Self.tilde {
            guard bytes.count == 1 || bytes[1] == Self.slash else {
                throw Arguments.Mistake(
                    sentence:
                        "Argument \"\(name)\" must be an absolute path or begin with ~/, which is the login directory, not "
                        + "\"\(Self.text(bytes).prefix(200))\": the homes of other users are not looked up. Pass the absolute path."
                )
            }
            form = .home(bytes.dropFirst(2))
        } else {
            form = .relative
        }
    }

    /// Whether a text names the login directory or what lies in it.
    static func isInHome(_ text: String) -> Bool { text == "~" || text.utf8.starts(with: "~/".utf8) }

    /// The path from the root on. The host is asked for its login directory where that is needed.
    /// - Throws: `Arguments.Mistake` for a relative path, with the path that it would be as far as the host tells.
    func absolute(on host: PolicySnapshot.Host, _ files: RemoteFiles) async throws -> [UInt8] {
        switch form {
        case .absolute: return bytes
        case .home(let rest):
            let home: [UInt8]
            do throws(SFTPError) {
                home = try await files.home()
            } catch {
                throw FileFailure(error, host, path: Self.text(bytes))
            }
            let path = bytes.count == 1 ? home : Self.join(home, rest)
            guard path.count <= Frame.maximumPath else {
                throw Arguments.Mistake(
                    sentence:
                        "Argument \"\(name)\" makes a path of \(path.count) bytes; paths have at most \(Frame.maximumPath)."
                )
            }
            return path
        case .relative:
            var sentence =
                "Argument \"\(name)\" must be an absolute path or begin with ~/, not \"\(Self.text(bytes).prefix(200))\". Nothing was done."
            if let home = try? await files.home() {
                let shown = FileFailures.shown(Self.text(Self.join(home, bytes[...])))
                sentence +=
                    " In the login directory on \"\(host.name)\" it would be \(shown): pass that if it is meant."
            }
            throw Arguments.Mistake(sentence: sentence)
        }
    }

    private static func join(_ directory: [UInt8], _ rest: ArraySlice<UInt8>) -> [UInt8] {
        directory + (directory.last == slash ? [] : [slash]) + rest
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
