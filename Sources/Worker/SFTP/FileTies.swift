/// What a file has that another one in its place would not have.
struct FileTies: Equatable, Sendable {
    /// How many names it has.
    var links: UInt32 = 1
    /// Whether it has an access control list beside its mode.
    var hasACL = false

    init() {}

    /// Reads them in a line of `ls -l`, POSIX, which is also the form of OpenSSH's long names. In another form there are none.
    init(longName: some Collection<UInt8>) {
        let words = Array(longName.prefix(60)).split(separator: UInt8(ascii: " "), maxSplits: 2)
        guard words.count == 3, (10...11).contains(words[0].count),
            let links = UInt32(String(decoding: words[1], as: UTF8.self))
        else { return }
        self.links = links
        hasACL = words[0].count == 11 && words[0].last == UInt8(ascii: "+")
    }

    /// Why the file must not be replaced by another one; nil if it may be.
    var reason: String? {
        if links > 1 { return "it has \(links) names (hard links), and a new file would have only one of them" }
        return hasACL ? "it has an access control list, which a new file would not have" : nil
    }
}
