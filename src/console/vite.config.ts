import tailwind from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** The console as files with hashed names; the build command gives `outDir`. */
export default defineConfig({
  root: import.meta.dirname,
  plugins: [react(), tailwind()],
  resolve: {
    alias: {
      // The original writes a <style> element, which the policy of the page forbids.
      'react-remove-scroll': `${import.meta.dirname}/ui/removeScroll.tsx`,
    },
  },
  build: {
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1_000,
  },
});
