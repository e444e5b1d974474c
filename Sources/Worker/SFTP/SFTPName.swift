/// A name in a directory, or from REALPATH or READLINK. The long name, whose form is for people, is not kept.
struct SFTPName: Equatable, Sendable {
    let name: [UInt8]
    let attributes: SFTPAttributes
    /// What the long name tells of further names and access control.
    var ties = FileTies()
}
