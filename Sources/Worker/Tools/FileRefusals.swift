internal import IPC
internal import SFTP

/// Sentences about what a host does not do with its files.
extension FileFailures {
    /// The host refused a request.
    static func refused(
        _ status: SFTPStatus, _ call: String, _ message: String, _ host: PolicySnapshot.Host, _ place: String
    ) -> String {
        switch status {
        case .noSuchFile:
            return "\(place) does not exist: it, a directory above it or what a symlink there leads to is missing. "
                + "Check the path with ssh_list_dir."
        case .permissionDenied: return denied([], host, place)
        case .ok, .endOfFile, .failure, .badMessage, .noConnection, .connectionLost, .unsupported, .other:
            return
                "\(place) cannot be used: \(step(call)) failed there (\(status.words(message))). As far as the host tells, its "
                + "names are not too long and its file system is neither full nor read-only. A quota, a file that is in use or a "
                + "disk with errors may be the cause: look at it with ssh_list_dir, and ask the user to look at the host."
        }
    }

    /// The user of the session may not do it.
    static func denied(_ seen: [Standing], _ host: PolicySnapshot.Host, _ place: String) -> String {
        let user = host.master.user
        let owners = seen.map { standing in
            let path = shown(String(decoding: standing.path, as: UTF8.self))
            return "\(path) (\(standing.attributes.type.rawValue)) \(owner(standing.attributes))"
        }
        return "Permission denied for \(place). You are \(user) there"
            + (owners.isEmpty ? ", and the host does not show who owns it. " : "; \(owners.joined(separator: "; ")). ")
            + "Nothing was changed. Ask the user to do it, or to give \(user) the right to."
    }

    /// Whose it is, and its mode.
    private static func owner(_ attributes: SFTPAttributes) -> String {
        let owner = attributes.owner.map { owner in
            "belongs to \(owner.user == 0 ? "root" : "uid \(owner.user)"), group \(owner.group == 0 ? "root" : "\(owner.group)")"
        }
        let mode = attributes.permissions.map { bits in
            let octal = String(bits & 0o7777, radix: 8)
            return "has mode \(String(repeating: "0", count: max(0, 4 - octal.count)))\(octal)"
        }
        let told = [owner, mode].compactMap { $0 }
        return told.isEmpty ? "has an owner that the host does not tell" : told.joined(separator: " and ")
    }

    /// What a request does, for who does not know SFTP.
    private static func step(_ call: String) -> String {
        switch call {
        case "OPEN": "opening it"
        case "READ": "reading it"
        case "WRITE": "writing it"
        case "CLOSE": "ending the work on it"
        case "OPENDIR", "READDIR": "listing it"
        case "MKDIR": "making a directory"
        case "REMOVE", "RMDIR": "removing what was begun"
        case "FSETSTAT": "setting its size, mode or owner"
        case "REALPATH", "READLINK": "finding out where it leads"
        case "LSTAT", "STAT", "FSTAT": "looking at it"
        case "fsync@openssh.com": "writing it down to the disk"
        case "posix-rename@openssh.com", "hardlink@openssh.com": "giving it its name"
        default: "a step of it"
        }
    }

    /// Overwriting a file failed, as the sentence says, and a copy of it was kept.
    static func keeping(_ copy: [UInt8], _ sentence: String) -> String {
        "\(sentence) Its old content is in \(shown(String(decoding: copy, as: UTF8.self)))."
    }

    /// A write failed, as the sentence says, and what it had begun may still be there.
    static func leaving(_ temporary: [UInt8], _ sentence: String) -> String {
        "\(sentence) Its temporary file \(shown(String(decoding: temporary, as: UTF8.self))) may have stayed; a write in that "
            + "directory removes it when it is more than an hour old."
    }
}
