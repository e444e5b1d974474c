/// Texts of a client are compared and cut by their bytes and scalars. `==` on strings compares by Unicode's rules: it takes
/// different bytes for equal, and its time grows with the square of the number of marks on one letter. `prefix` counts a letter
/// with all its marks as one.
extension String {
    /// Whether both strings have the same bytes.
    public func hasBytes(of other: String) -> Bool { utf8.elementsEqual(other.utf8) }

    /// The text if it has at most 200 bytes, else its beginning. That is enough to compare it with every name that is known here,
    /// and to show it.
    public var bounded: String {
        utf8.count <= 200 ? self : String(String.UnicodeScalarView(unicodeScalars.prefix(100))) + "…"
    }
}
