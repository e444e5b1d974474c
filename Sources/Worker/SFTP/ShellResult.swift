/// Reads what the functions of `ShellScript` print as the replies of an SFTP server.
enum ShellResult {
    /// Reads `x MODE SIZE UID GID ATIME MTIME` of stat(1), the mode in hexadecimal, or `l ` and a line of `ls -nd`,
    /// which has no time in a form that can be read.
    static func attributes(_ line: Substring) -> SFTPAttributes? {
        let words = line.split(separator: " ", omittingEmptySubsequences: true)
        switch words.first {
        case "x":
            guard words.count >= 5, let mode = UInt32(words[1], radix: 16), let size = UInt64(words[2]) else {
                return nil
            }
            var attributes = SFTPAttributes(size: size, permissions: mode)
            if let user = UInt32(words[3]), let group = UInt32(words[4]) {
                attributes.owner = .init(user: user, group: group)
            }
            if words.count >= 7, let access = UInt32(words[5]), let modification = UInt32(words[6]) {
                attributes.times = .init(access: access, modification: modification)
            }
            return attributes
        case "l":
            guard words.count >= 6, let mode = mode(letters: words[1]) else { return nil }
            var attributes = SFTPAttributes(permissions: mode)
            // A device has two numbers with a comma in place of the size.
            attributes.size = UInt64(words[5])
            if let user = UInt32(words[3]), let group = UInt32(words[4]) {
                attributes.owner = .init(user: user, group: group)
            }
            return attributes
        default: return nil
        }
    }

    /// Reads the mode as ls(1) writes it, POSIX. A letter after the first ten tells of further access control and is
    /// ignored.
    private static func mode(letters: Substring) -> UInt32? {
        let letters = Array(letters.utf8)
        guard letters.count >= 10 else { return nil }
        let types: [UInt8: UInt32] = [
            UInt8(ascii: "-"): 0o100000, UInt8(ascii: "d"): 0o040000, UInt8(ascii: "l"): 0o120000,
            UInt8(ascii: "p"): 0o010000, UInt8(ascii: "s"): 0o140000, UInt8(ascii: "c"): 0o020000,
            UInt8(ascii: "b"): 0o060000,
        ]
        guard var mode = types[letters[0]] else { return nil }
        for (index, letter) in letters[1..<10].enumerated() {
            let bit = UInt32(0o400) >> UInt32(index)
            let special = UInt32(0o4000) >> UInt32(index / 3)
            switch letter {
            case UInt8(ascii: "-"): break
            case UInt8(ascii: "s"), UInt8(ascii: "t"): mode |= bit | special
            case UInt8(ascii: "S"), UInt8(ascii: "T"): mode |= special
            default: mode |= bit
            }
        }
        return mode
    }

    /// Most names in a part of a directory, as `ShellScript` makes it.
    private static let mostNames = 100

    /// Reads a part of a directory: names that each end in a NUL, one more NUL, then a line of attributes for each
    /// name. If a name has vanished meanwhile, it is not clear which line belongs to which name, and all attributes are
    /// left out.
    static func names(_ payload: ArraySlice<UInt8>) throws(Malformed) -> [SFTPName] {
        var names: [[UInt8]] = []
        var rest = payload
        while true {
            guard let end = rest.firstIndex(of: 0) else { throw Malformed("a list that ends early") }
            defer { rest = rest[(end + 1)...] }
            if end == rest.startIndex { break }
            guard names.count < mostNames else { throw Malformed("more than \(mostNames) names in a part of a list") }
            names.append(Array(rest[..<end]))
        }
        guard !names.isEmpty else { throw Malformed("no names and no end") }
        let lines = String(decoding: rest, as: UTF8.self).split(separator: "\n", maxSplits: names.count)
        let attributes = lines.count == names.count ? lines.map { Self.attributes($0) } : []
        return names.enumerated().map { index, name in
            let known = index < attributes.count ? attributes[index] : nil
            return SFTPName(name: name, attributes: known ?? SFTPAttributes())
        }
    }

    /// The reply of statvfs@openssh.com with what the last line of `df -P -k`, POSIX, tells: the blocks, and how many
    /// are free.
    static func space(_ text: String) -> SFTPReply? {
        let words = text.split(whereSeparator: \.isNewline).last?.split(separator: " ") ?? []
        // The name of the file system and that of its directory may have spaces.
        guard let percent = words.firstIndex(where: { $0.hasSuffix("%") }), percent >= 3,
            let blocks = UInt64(words[percent - 3]), let free = UInt64(words[percent - 1])
        else { return nil }
        var writer = WireWriter()
        for value in [1024, 1024, blocks, free, free, 0, 0, 0, 0, 0, 0] as [UInt64] { writer.number(value) }
        return .extended(writer.packet()[4...])
    }

    /// The status of a write that failed, by what the system said.
    static func status(ofWriting said: String) -> SFTPStatus {
        if said.contains("ermission denied") || said.contains("not permitted") { return .permissionDenied }
        return said.contains("o such file") ? .noSuchFile : .failure
    }
}
