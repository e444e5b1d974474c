/// A name in a directory, or from REALPATH or READLINK. The long name is not kept, because only people can read its
/// form.
struct SFTPName: Equatable, Sendable {
    let name: [UInt8]
    let attributes: SFTPAttributes
}
