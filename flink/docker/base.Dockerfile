# A small Debian where no registry has one: `make images` hands over what debootstrap made.
FROM scratch
ADD base.tar /
